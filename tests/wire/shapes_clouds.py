"""Gemini, Vertex AI and Amazon Bedrock."""

from tests.wire.shapes import HI, PARTS, Shape, ask, chat, generated, message, spent, tokens

G = "https://generativelanguage.googleapis.com/v1beta/models"
V = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers"
B = "https://bedrock-runtime.us-east-1.amazonaws.com/model"

SHAPES = [
    Shape(
        "bedrock anthropic",
        f"{B}/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": HI},
        message(
            "claude-haiku-4-5-20251001",
            3,
            2851,
            cache_creation_input_tokens=0,
            cache_read_input_tokens=9511,
            cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        ),
        bills=[("us.anthropic.claude-haiku-4-5-20251001-v1:0", tokens(9514, 2851, cache_read_tokens=9511), None)],
    ),
    Shape(
        "bedrock openai",
        f"{B}/us.openai.gpt-5.6-sol/converse",
        {"messages": [{"role": "user", "content": [{"text": "2+2"}]}]},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "4"}]}},
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 19,
                "outputTokens": 5,
                "totalTokens": 24,
                "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 0,
                "serverToolUsage": {},
            },
        },
        bills=[("us.openai.gpt-5.6-sol", tokens(19, 5), None)],
    ),
    Shape(
        "bedrock guardrail",
        f"{B}/amazon.nova-micro-v1%3A0/converse",
        {"messages": [{"role": "user", "content": [{"text": "2+2"}]}], "guardrailConfig": {"guardrailIdentifier": "g"}},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "4"}]}},
            "stopReason": "guardrail_intervened",
            "usage": {"inputTokens": 13, "outputTokens": 45, "totalTokens": 58},
            "trace": {
                "guardrail": {"inputAssessment": {"g": {"invocationMetrics": {"usage": {"topicPolicyUnits": 1}}}}}
            },
        },
        bills=[("amazon.nova-micro-v1:0", tokens(13, 45), None)],
    ),
    Shape(
        "bedrock guardrail blocked",
        f"{B}/amazon.nova-micro-v1%3A0/converse",
        {"messages": [{"role": "user", "content": [{"text": "2+2"}]}], "guardrailConfig": {"guardrailIdentifier": "g"}},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "no"}]}},
            "stopReason": "guardrail_intervened",
            "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
        },
        kind="free",
    ),
    Shape(
        "bedrock optimized",
        f"{B}/us.amazon.nova-pro-v1%3A0/converse",
        {"messages": [{"role": "user", "content": [{"text": "2+2"}]}], "performanceConfig": {"latency": "optimized"}},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "4"}]}},
            "stopReason": "end_turn",
            "performanceConfig": {"latency": "optimized"},
            "usage": {"inputTokens": 13, "outputTokens": 67, "totalTokens": 80},
        },
        bills=[("us.amazon.nova-pro-v1:0", tokens(13, 67), None)],
    ),
    Shape(
        "gemini armor",
        f"{V}/google/models/gemini-2.5-flash:generateContent",
        {"contents": PARTS},
        {
            "candidates": [{"finishReason": "MODEL_ARMOR"}],
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {
                "promptTokenCount": 19,
                "candidatesTokenCount": 6,
                "thoughtsTokenCount": 27,
                "totalTokenCount": 52,
                "trafficType": "ON_DEMAND",
            },
        },
        bills=[("gemini-2.5-flash", tokens(19, 33, reasoning_tokens=27), None)],
    ),
    Shape(
        "gemini armor prompt",
        f"{V}/google/models/gemini-2.5-flash:generateContent",
        {"contents": PARTS},
        {
            "promptFeedback": {"blockReason": "MODEL_ARMOR"},
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {"trafficType": "ON_DEMAND"},
        },
        kind="unread",
    ),
    Shape(
        "gemini maps",
        f"{G}/gemini-2.5-flash:generateContent",
        {"contents": PARTS, "tools": [{"googleMaps": {}}]},
        generated(
            "gemini-2.5-flash",
            {"promptTokenCount": 18, "candidatesTokenCount": 105, "thoughtsTokenCount": 42, "totalTokenCount": 165},
            groundingMetadata={"groundingChunks": [{"maps": {"placeId": "p"}}]},
        ),
        bills=[("gemini-2.5-flash", tokens(18, 147, reasoning_tokens=42, web_searches=1), None)],
    ),
    Shape(
        "gemini image",
        f"{G}/gemini-3.1-flash-image:generateContent",
        {"contents": PARTS},
        generated(
            "gemini-3.1-flash-image",
            {
                "promptTokenCount": 33,
                "candidatesTokenCount": 1891,
                "totalTokenCount": 1924,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 33}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
                "serviceTier": "standard",
            },
        ),
        bills=[("gemini-3.1-flash-image", tokens(33, 1891, output_text_tokens=771), None)],
    ),
    Shape(
        "gemini embedding 2",
        f"{G}/gemini-embedding-2:embedContent",
        {"content": {"parts": [{"text": "hi"}]}},
        {
            "embedding": {"values": [0.1]},
            "usageMetadata": {"promptTokenCount": 3, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}]},
        },
        bills=[("gemini-embedding-2", {"input_tokens": 3, "input_text_tokens": 3}, None)],
    ),
    Shape(
        "gemini agentic",
        f"{G}/gemini-3.7-flash:generateContent",
        {"contents": PARTS},
        generated(
            "gemini-3.7-flash",
            {
                "promptTokenCount": 47,
                "candidatesTokenCount": 69,
                "thoughtsTokenCount": 147,
                "toolUsePromptTokenCount": 1922,
                "toolUsePromptTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 1800},
                    {"modality": "TEXT", "tokenCount": 122},
                ],
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 47}],
                "totalTokenCount": 2185,
                "serviceTier": "standard",
            },
        ),
        bills=[("gemini-3.7-flash", tokens(1969, 216, reasoning_tokens=147, input_text_tokens=169), None)],
    ),
    Shape(
        "gemini count", f"{G}/gemini-3-flash-preview:countTokens", {"contents": PARTS}, {"totalTokens": 6}, kind="free"
    ),
    Shape(
        "vertex anthropic",
        f"{V}/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": HI},
        message("claude-sonnet-4-5-20250929", 9, 4),
        bills=[("claude-sonnet-4-5-20250929", tokens(9, 4), None)],
    ),
    Shape(
        "vertex mistral",
        f"{V}/mistralai/models/mistral-small-2503:rawPredict",
        ask("mistral-small-2503"),
        chat("mistral-small-2503", spent(9, 4)),
        bills=[("mistral-small-2503", tokens(9, 4), None)],
    ),
    Shape(
        "vertex maas",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions",
        ask("meta/llama-4-scout-17b-16e-instruct-maas"),
        chat("meta/llama-4-scout-17b-16e-instruct-maas", spent(9, 4)),
        bills=[("meta/llama-4-scout-17b-16e-instruct-maas", tokens(9, 4), None)],
    ),
    Shape(
        "gateway",
        "https://gateway.pydantic.dev/proxy/bedrock/model/amazon.nova-micro-v1%3A0/converse",
        {"messages": [{"role": "user", "content": [{"text": "2+2"}]}]},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "4"}]}},
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 7,
                "outputTokens": 90,
                "totalTokens": 97,
                "pydantic_ai_gateway": {"cost_estimate": 1.28e-05},
                "serverToolUsage": {},
            },
        },
        bills=[("amazon.nova-micro-v1:0", tokens(7, 90), None)],
    ),
    Shape(
        "gateway regional",
        "https://gateway-us.pydantic.dev/proxy/google-vertex/v1beta1/publishers/google/models/gemini-2.5-flash:generateContent",
        {"contents": PARTS},
        generated("gemini-2.5-flash", {"promptTokenCount": 7, "candidatesTokenCount": 9, "totalTokenCount": 16}),
        bills=[("gemini-2.5-flash", tokens(7, 9), None)],
    ),
]
