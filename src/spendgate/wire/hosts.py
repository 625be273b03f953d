"""Whom a URL belongs to: the hosts whose answers cost money, and what genai-prices calls them.

>>> provider_at("https://eu.api.openai.com/v1/responses"), provider_at("https://example.com/v1/responses")
('openai', '')
"""

import re
from functools import cache, lru_cache
from urllib.parse import urlsplit

HOSTS: tuple[tuple[str, str], ...] = (
    ("api.openai.com", "openai"),
    ("*.api.openai.com", "openai"),
    ("*.openai.azure.com", "azure"),
    ("*.openai.azure.us", "azure"),
    ("*.cognitiveservices.azure.com", "azure"),
    ("*.services.ai.azure.com", "azure"),
    ("*.models.ai.azure.com", "azure"),
    ("*.inference.ml.azure.com", "azure"),
    ("models.inference.ai.azure.com", "github"),
    ("models.github.ai", "github"),
    ("api.githubcopilot.com", "github-copilot"),
    ("*.githubcopilot.com", "github-copilot"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("aiplatform.googleapis.com", "google"),
    ("*-aiplatform.googleapis.com", "google"),
    ("aiplatform.*.rep.googleapis.com", "google"),
    ("bedrock-runtime*.amazonaws.com", "aws"),
    ("bedrock-runtime*.amazonaws.com.cn", "aws"),
    ("bedrock-runtime*.api.aws", "aws"),
    ("bedrock-mantle*.api.aws", "aws"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("codestral.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("openrouter.ai/api/*", "openrouter"),
    ("*.openrouter.ai/api/*", "openrouter"),
    ("api.together.xyz", "together"),
    ("api.together.ai", "together"),
    ("api.cerebras.ai", "cerebras"),
    ("api.x.ai", "x-ai"),
    ("*.api.x.ai", "x-ai"),
    ("api.fireworks.ai", "fireworks"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.moonshot.cn", "moonshotai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.voyageai.com", "voyageai"),
    ("router.huggingface.co", "huggingface"),
    ("api-inference.huggingface.co", "huggingface"),
    ("*.endpoints.huggingface.cloud", "huggingface"),
    ("*.inference.heroku.com", "heroku"),
    ("dashscope*.aliyuncs.com", "alibaba"),
    ("*.maas.aliyuncs.com", "alibaba"),
    ("api.sambanova.ai", "sambanova"),
    ("api.studio.nebius.ai", "nebius"),
    ("api.studio.nebius.com", "nebius"),
    ("api.tokenfactory.nebius.com", "nebius"),
    ("*.endpoints.kepler.ai.cloud.ovh.net", "ovhcloud"),
    ("*.endpoints.ai.cloud.ovh.net", "ovhcloud"),
    ("ai-gateway.vercel.sh", "vercel"),
    ("api.z.ai", "zai"),
    ("open.bigmodel.cn", "zhipuai"),
    ("api.minimax.*", "minimax"),
    ("api.minimaxi.*", "minimax"),
    ("api.novita.ai", "novita"),
    ("api.avian.io", "avian"),
    ("api.arcee.ai", "arcee"),
    ("inference.baseten.co", "baseten"),
    ("api.doubleword.ai", "doubleword"),
    ("api.elevenlabs.io", "elevenlabs"),
    ("api.*.elevenlabs.io", "elevenlabs"),
    ("api.quicksilverpro.io", "quicksilverpro"),
    ("api.typesafe.ai", "typesafe"),
    ("api.meta.ai", "meta"),
    ("api.llama.com", "meta"),
    ("api.deepinfra.com", "deepinfra"),
    ("api.hyperbolic.xyz", "hyperbolic"),
    ("api.ai21.com", "ai21"),
    ("api.lambda.ai", "lambda"),
    ("integrate.api.nvidia.com", "nvidia"),
    ("*.cloud.databricks.com/serving-endpoints/*", "databricks"),
    ("*.cloud.databricks.com/ai-gateway/*", "databricks"),
    ("*.azuredatabricks.net/serving-endpoints/*", "databricks"),
    ("*.azuredatabricks.net/ai-gateway/*", "databricks"),
    ("*.gcp.databricks.com/serving-endpoints/*", "databricks"),
    ("*.gcp.databricks.com/ai-gateway/*", "databricks"),
    ("*.snowflakecomputing.com/api/v2/cortex/*", "snowflake"),
    ("*.snowflakecomputing.cn/api/v2/cortex/*", "snowflake"),
    ("api.cloudflare.com/client/v4/accounts/*/ai/*", "cloudflare"),
    ("gateway.ai.cloudflare.com/v1/*/openai/*", "openai"),
    ("gateway.ai.cloudflare.com/v1/*/anthropic/*", "anthropic"),
    ("gateway*.pydantic.dev/proxy/openai*", "openai"),
    ("gateway*.pydantic.dev/proxy/chat/*", "openai"),
    ("gateway*.pydantic.dev/proxy/responses/*", "openai"),
    ("gateway*.pydantic.dev/proxy/anthropic/*", "anthropic"),
    ("gateway*.pydantic.dev/proxy/bedrock/*", "aws"),
    ("gateway*.pydantic.dev/proxy/google-vertex/*", "google"),
    ("gateway*.pydantic.dev/proxy/gemini/*", "google"),
    ("gateway*.pydantic.dev/proxy/groq/*", "groq"),
    ("gateway*.pydantic.dev", "pydantic"),
    ("localhost:11434", "ollama"),
    ("127.0.0.1:11434", "ollama"),
    ("::1:11434", "ollama"),
    ("ollama.com", "ollama"),
)
"""Globs of hosts, with a port or a path where that is what tells them, and the provider's id in genai-prices.

The first that fits counts. What genai-prices does not list (GitHub's models, Heroku, Snowflake, Ollama and others)
carries a name of its own, for the rate card to price: free is a price that is declared.
"""

ROUTED = frozenset({"cerebras", "fireworks-ai", "groq", "hyperbolic", "nebius", "novita", "nscale", "ovhcloud"}) | {
    "publicai",
    "sambanova",
    "together",
}
"""Whom Hugging Face's router hands calls on to, as far as genai-prices has their prices (`huggingface_groq`)."""


@lru_cache(maxsize=1024)
def provider_at(url: str) -> str:
    """The provider that a URL belongs to; empty where it is none whose answers are known to cost money."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    provider = _provider(f"{host}:{port}{parts.path}") or _provider(f"{host}{parts.path}")
    if provider == "huggingface":
        return routed(parts.path.strip("/").partition("/")[0])
    return provider


def routed(name: str) -> str:
    """What genai-prices calls Hugging Face's route to somebody; `huggingface` where the route is not known.

    >>> routed("novita"), routed("v1")
    ('huggingface_novita', 'huggingface')
    """
    return f"huggingface_{name}" if name in ROUTED else "huggingface"


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<h{position}>{_glob(glob)})" for position, (glob, _) in enumerate(HOSTS)))


def _glob(glob: str) -> str:
    """A star in the host stands for no slash, so that no path passes for a host."""
    host, slash, path = glob.partition("/")
    rest = re.escape(slash + path).replace(r"\*", ".*") if slash else "(?:/.*)?"
    return f"{re.escape(host).replace(chr(92) + '*', '[^/]*')}{rest}$"


def _provider(place: str) -> str:
    host, slash, path = place.partition("/")
    found = _pattern().match(host.lower() + slash + path[:1000]) if len(host) <= 300 else None
    return HOSTS[int((found.lastgroup or "h0")[1:])][1] if found else ""
