"""Chat as the many hosts speak it that took it over from OpenAI."""

from tests.wire.shapes import HI, Shape, ask, chat, spent, tokens

OR = "https://openrouter.ai/api/v1/chat/completions"
GROQ = "https://api.groq.com/openai/v1/chat/completions"

SHAPES = [
    Shape(
        "openrouter search",
        OR,
        ask("openai/gpt-4.1-mini", tools=[{"type": "openrouter:web_search"}]),
        chat(
            "openai/gpt-4.1-mini",
            spent(
                8174,
                30,
                cost=0.0133176,
                is_byok=False,
                cost_details={"upstream_inference_cost": 0.0133176},
                server_tool_use_details={"web_search_requests": 1},
            ),
        ),
        bills=[("openai/gpt-4.1-mini", tokens(8174, 30, web_searches=1), 13_317_600)],
    ),
    Shape(
        "openrouter byok",
        OR,
        ask("google/gemini-3-flash-preview"),
        chat(
            "google/gemini-3-flash-preview",
            spent(10, 18, cost=0, is_byok=True, cost_details={"upstream_inference_cost": 5.9e-05}),
        ),
        bills=[("google/gemini-3-flash-preview", tokens(10, 18), 59_000)],
    ),
    Shape(
        "openrouter advisor",
        OR,
        ask("openai/gpt-4o-mini", tools=[{"type": "openrouter:advisor"}]),
        chat(
            "openai/gpt-4o-mini",
            spent(
                576,
                61,
                cost=0.004628,
                cost_details={"upstream_inference_cost": 0.000123},
                server_tool_use_details={"tool_calls_executed": 1},
            ),
        ),
        bills=[("openai/gpt-4o-mini", tokens(576, 61), 4_628_000)],
    ),
    Shape(
        "openrouter finish then usage",
        OR,
        ask("google/gemini-2.5-flash-image", stream=True),
        [
            {
                "id": "g",
                "model": "google/gemini-2.5-flash-image",
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}],
            },
            {
                "id": "g",
                "model": "google/gemini-2.5-flash-image",
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}],
                "usage": spent(
                    2,
                    1295,
                    cost=0.0387131,
                    is_byok=False,
                    completion_tokens_details={"reasoning_tokens": 0, "image_tokens": 1290},
                    prompt_tokens_details={"cached_tokens": 0},
                ),
            },
            "data: [DONE]\n\n",
        ],
        bills=[("google/gemini-2.5-flash-image", tokens(2, 1295), 38_713_100)],
    ),
    Shape(
        "openrouter comments",
        OR,
        ask("x/y", stream=True),
        [
            ": OPENROUTER PROCESSING\n\n",
            {"model": "x/y", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]},
            {
                "model": "x/y",
                "error": {"code": 502, "message": "upstream"},
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            },
        ],
        kind="held",
    ),
    Shape(
        "perplexity pro",
        "https://api.perplexity.ai/chat/completions",
        ask("sonar-pro"),
        chat("sonar-pro", spent(13, 21, citation_tokens=125, num_search_queries=1, search_context_size="low")),
        bills=[("sonar-pro", tokens(13, 21), None)],
    ),
    Shape(
        "perplexity deep",
        "https://api.perplexity.ai/chat/completions",
        ask("sonar-deep-research"),
        chat("sonar-deep-research", spent(19, 498, citation_tokens=3028, num_search_queries=7, reasoning_tokens=193)),
        bills=[("sonar-deep-research", tokens(19, 498 + 3028 + 193, reasoning_tokens=193, web_searches=7), None)],
    ),
    Shape(
        "perplexity cost",
        "https://api.perplexity.ai/chat/completions",
        ask("sonar"),
        chat(
            "sonar",
            spent(
                8,
                439,
                search_context_size="low",
                cost={
                    "input_tokens_cost": 0.0,
                    "output_tokens_cost": 0.0,
                    "request_cost": 0.005,
                    "total_cost": 0.005447,
                },
            ),
        ),
        bills=[("sonar", tokens(8, 439), 5_447_000)],
    ),
    Shape(
        "groq both usages",
        GROQ,
        ask("openai/gpt-oss-120b", stream=True),
        [
            {
                "model": "openai/gpt-oss-120b",
                "choices": [{"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": None}],
                "x_groq": {"id": "q"},
            },
            {
                "model": "openai/gpt-oss-120b",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "x_groq": {"id": "q", "usage": spent(336, 135, completion_tokens_details={"reasoning_tokens": 119})},
                "usage": spent(336, 135, completion_tokens_details={"reasoning_tokens": 119}),
            },
            "data: [DONE]\n\n",
        ],
        bills=[("openai/gpt-oss-120b", tokens(336, 135, reasoning_tokens=119), None)],
    ),
    Shape(
        "groq only x_groq",
        GROQ,
        ask("compound-beta", stream=True),
        [
            {
                "model": "groq/compound",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "x_groq": {"id": "q", "usage": spent(100, 20)},
            },
            "data: [DONE]\n\n",
        ],
        bills=[("groq/compound", tokens(100, 20), None)],
    ),
    Shape(
        "groq compound",
        GROQ,
        ask("compound-beta"),
        chat(
            "groq/compound",
            spent(200, 30),
            usage_breakdown={
                "models": [
                    {"model": "llama-3.3-70b-versatile", "usage": spent(138, 4)},
                    {"model": "llama-3.3-70b-versatile", "usage": spent(62, 26)},
                ]
            },
        ),
        bills=[("llama-3.3-70b-versatile", tokens(138, 4), None), ("llama-3.3-70b-versatile", tokens(62, 26), None)],
    ),
    Shape(
        "groq tool failed",
        GROQ,
        ask("openai/gpt-oss-120b", stream=True),
        [
            {
                "model": "openai/gpt-oss-120b",
                "choices": [{"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": None}],
            },
            "event: error\n",
            {"error": {"message": "not a tool", "code": "tool_use_failed", "status_code": 400}},
        ],
        kind="held",
    ),
    Shape(
        "groq cached",
        GROQ,
        ask("moonshotai/kimi-k2-instruct"),
        chat("moonshotai/kimi-k2-instruct", spent(400, 10, prompt_tokens_details={"cached_tokens": 256})),
        bills=[("moonshotai/kimi-k2-instruct", tokens(400, 10, cache_read_tokens=256), None)],
    ),
    Shape(
        "hf together",
        "https://router.huggingface.co/together/v1/chat/completions",
        ask("meta-llama/Llama-4-Scout-17B-16E-Instruct"),
        chat("meta-llama/Llama-4-Scout-17B-16E-Instruct", spent(616, 7)),
        bills=[("meta-llama/Llama-4-Scout-17B-16E-Instruct", tokens(616, 7), None)],
    ),
    Shape(
        "hf cached top",
        "https://router.huggingface.co/together/v1/chat/completions",
        ask("deepseek-ai/DeepSeek-R1"),
        chat("deepseek-ai/DeepSeek-R1", spent(4, 197, cached_tokens=0)),
        bills=[("deepseek-ai/DeepSeek-R1", tokens(4, 197), None)],
    ),
    Shape(
        "deepseek hit",
        "https://api.deepseek.com/chat/completions",
        ask("deepseek-chat"),
        chat(
            "deepseek-chat",
            spent(
                100,
                20,
                prompt_cache_hit_tokens=64,
                prompt_cache_miss_tokens=36,
                prompt_tokens_details={"cached_tokens": 64},
            ),
        ),
        bills=[("deepseek-chat", tokens(100, 20, cache_read_tokens=64), None)],
    ),
    Shape(
        "xai",
        "https://api.x.ai/v1/chat/completions",
        ask("grok-4"),
        chat(
            "grok-4-0709",
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0},
                "num_sources_used": 0,
            },
        ),
        bills=[("grok-4-0709", tokens(32, 103, cache_read_tokens=6, reasoning_tokens=94), None)],
    ),
    Shape(
        "xai live search",
        "https://api.x.ai/v1/chat/completions",
        ask("grok-3", search_parameters={"mode": "on"}),
        chat("grok-3", {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940, "num_sources_used": 5}),
        bills=[("grok-3", tokens(900, 40, web_searches=5), None)],
    ),
    Shape(
        "cerebras",
        "https://api.cerebras.ai/v1/chat/completions",
        ask("gpt-oss-120b"),
        chat(
            "gpt-oss-120b",
            spent(
                70,
                40,
                prompt_tokens_details={"cached_tokens": 0},
                completion_tokens_details={"accepted_prediction_tokens": 0},
            ),
            time_info={"queue_time": 0.1},
        ),
        bills=[("gpt-oss-120b", tokens(70, 40), None)],
    ),
    Shape(
        "cerebras stream",
        "https://api.cerebras.ai/v1/chat/completions",
        ask("gpt-oss-120b", stream=True),
        [
            {
                "model": "gpt-oss-120b",
                "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}],
                "usage": spent(70, 40),
                "time_info": {},
            }
        ],
        bills=[("gpt-oss-120b", tokens(70, 40), None)],
    ),
    Shape(
        "cumulative usages",
        "https://api.fireworks.ai/inference/v1/chat/completions",
        ask("accounts/fireworks/models/glm-5", stream=True),
        [
            {
                "model": "accounts/fireworks/models/glm-5",
                "choices": [{"index": 0, "delta": {"content": "x"}}],
                "usage": spent(9, 1),
            },
            {
                "model": "accounts/fireworks/models/glm-5",
                "choices": [{"index": 0, "delta": {"content": "y"}, "finish_reason": "stop"}],
                "usage": spent(9, 4),
            },
            "data: [DONE]\n\n",
        ],
        bills=[("accounts/fireworks/models/glm-5", tokens(9, 4), None)],
    ),
    Shape(
        "an error with status 200",
        OR,
        ask("a/b"),
        {"error": {"code": 429, "message": "rate"}, "user_id": "u"},
        kind="held",
    ),
    Shape(
        "github models",
        "https://models.github.ai/inference/chat/completions",
        ask("openai/gpt-4.1"),
        chat("gpt-4.1-2025-04-14", spent(9, 4)),
        bills=[("gpt-4.1-2025-04-14", tokens(9, 4), None)],
    ),
    Shape(
        "moonshot",
        "https://api.moonshot.ai/v1/chat/completions",
        ask("kimi-k2-0905-preview"),
        chat("kimi-k2-0905-preview", spent(90, 4, cached_tokens=64)),
        bills=[("kimi-k2-0905-preview", tokens(90, 4, cache_read_tokens=64), None)],
    ),
    Shape(
        "qwen",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
        ask("qwen-max"),
        chat("qwen-max", spent(90, 4, prompt_tokens_details={"cached_tokens": 64})),
        bills=[("qwen-max", tokens(90, 4, cache_read_tokens=64), None)],
    ),
    Shape(
        "qwen native",
        "https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
        {"model": "qwen-plus", "input": {"messages": HI}},
        {
            "output": {"text": "x", "finish_reason": "stop"},
            "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13},
            "request_id": "r",
        },
        kind="unread",
    ),
    Shape(
        "vercel",
        "https://ai-gateway.vercel.sh/v1/chat/completions",
        ask("openai/gpt-5"),
        chat("openai/gpt-5", spent(9, 4, cost=0.00012, market_cost=0.00012)),
        bills=[("openai/gpt-5", tokens(9, 4), 120_000)],
    ),
    Shape(
        "zai",
        "https://api.z.ai/api/paas/v4/chat/completions",
        ask("glm-4.6"),
        chat("glm-4.6", spent(90, 4, prompt_tokens_details={"cached_tokens": 64})),
        bills=[("glm-4.6", tokens(90, 4, cache_read_tokens=64), None)],
    ),
    Shape(
        "heroku",
        "https://us.inference.heroku.com/v1/chat/completions",
        ask("claude-3-7-sonnet"),
        chat("claude-3-7-sonnet", spent(14, 51)),
        bills=[("claude-3-7-sonnet", tokens(14, 51), None)],
    ),
]
