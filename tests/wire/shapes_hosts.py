"""Hosts that let other people's models answer under names of their own, and models that decide instead of writing."""

from tests.wire.shapes import HI, Shape, ask, chat, counted, message, piece, response, spent, tokens

SNOWFLAKE = "https://org-account.snowflakecomputing.com/api/v2/cortex/v1/chat/completions"
DATABRICKS = "https://dbc-1.cloud.databricks.com/serving-endpoints/chat/completions"
MANTLE = "https://bedrock-mantle.us-east-1.api.aws"
DECISIONS = "https://api.openai.com/v1/decisions"

URGENT = [{"type": "predicate", "name": "urgent", "instructions": "Must somebody call back today?"}]
SURE = [{"type": "predicate", "name": "urgent", "probability": 0.8}]

SHAPES = [
    Shape(
        "snowflake",
        SNOWFLAKE,
        ask("claude-sonnet-4-6"),
        chat("claude-sonnet-4-6", spent(31, 7), id="", service_tier="", system_fingerprint=""),
        bills=[("claude-sonnet-4-6", tokens(31, 7), None)],
    ),
    Shape(
        "snowflake nameless",
        SNOWFLAKE,
        ask("openai-gpt-4.1"),
        chat("", spent(31, 7), service_tier="default"),
        bills=[("openai-gpt-4.1", tokens(31, 7), None)],
    ),
    Shape(
        "snowflake stream",
        SNOWFLAKE,
        ask("claude-sonnet-4-6", stream=True),
        [
            {"model": "claude-sonnet-4-6", "choices": [{"index": 0, "delta": {"content": "", "tool_calls": None}}]},
            {"model": "claude-sonnet-4-6", "choices": [{"index": 0, "delta": {"content": "so it is"}}]},
            {"model": "claude-sonnet-4-6", "choices": [], "usage": spent(31, 7)},
            "data: [DONE]\n\n",
        ],
        bills=[("claude-sonnet-4-6", tokens(31, 7), None)],
    ),
    Shape(
        "databricks",
        DATABRICKS,
        ask("databricks-gpt-oss-120b"),
        chat("gpt-oss-120b-080525", spent(88, 12)),
        bills=[("databricks-gpt-oss-120b", tokens(88, 12), None)],
    ),
    Shape(
        "databricks stream",
        DATABRICKS,
        ask("databricks-gpt-oss-20b", stream=True),
        [
            piece("gpt-oss-20b-080525", {"prompt_tokens": 88, "completion_tokens": None, "total_tokens": None}),
            piece("gpt-oss-20b-080525", spent(88, 12), end="stop"),
            "data: [DONE]\n\n",
        ],
        bills=[("databricks-gpt-oss-20b", tokens(88, 12), None)],
    ),
    Shape(
        "mantle gpt-oss",
        f"{MANTLE}/v1/chat/completions",
        ask("openai.gpt-oss-120b"),
        chat("openai.gpt-oss-120b", spent(84, 70), service_tier="default"),
        bills=[("openai.gpt-oss-120b", tokens(84, 70), None)],
    ),
    Shape(
        "mantle claude",
        f"{MANTLE}/anthropic/v1/messages?beta=true",
        {"model": "anthropic.claude-sonnet-5", "max_tokens": 64, "messages": HI},
        message("claude-sonnet-5", 21, 9, output_tokens_details={"thinking_tokens": 0}),
        bills=[("anthropic.claude-sonnet-5", tokens(21, 9), None)],
    ),
    Shape(
        "mantle timed out",
        f"{MANTLE}/v1/responses",
        {"model": "openai.gpt-oss-120b", "input": "hi there"},
        {
            "id": "resp_1",
            "object": "response",
            "status": "failed",
            "error": {"code": "server_error", "message": "it took too long"},
            "model": "openai.gpt-oss-120b",
            "output": [],
        },
        kind="held",
    ),
    Shape(
        "hf unsent",
        "https://router.huggingface.co/nebius/v1/chat/completions",
        None,
        chat("deepseek-ai/DeepSeek-R1-0528", spent(6, 165, prompt_tokens_details=None)),
        bills=[("deepseek-ai/DeepSeek-R1-0528", tokens(6, 165), None)],
    ),
    Shape(
        "responses unsent",
        "https://api.openai.com/v1/responses",
        None,
        response("gpt-4o-2024-08-06", counted(40, 9)),
        bills=[("gpt-4o-2024-08-06", tokens(40, 9), None)],
    ),
    Shape(
        "decisions",
        DECISIONS,
        {"model": "gpt-6-luna", "input": "My parcel is late again.", "questions": URGENT},
        {
            "model": "gpt-6-luna",
            "answers": SURE,
            "usage": counted(
                229,
                0,
                input_tokens_details={"cached_tokens": 0, "cache_write_tokens": 0},
                output_tokens_details={"reasoning_tokens": 0},
            ),
        },
        bills=[("gpt-6-luna", {"input_tokens": 229}, None)],
    ),
    Shape(
        "decisions cached",
        DECISIONS,
        {"model": "gpt-6-luna", "input": [{"role": "user", "content": "The parcel!"}], "questions": URGENT},
        {
            "model": "gpt-6-luna",
            "answers": [{"type": "refusal", "name": "urgent"}],
            "usage": counted(2600, 0, input_tokens_details={"cached_tokens": 1024, "cache_write_tokens": 1500}),
        },
        bills=[("gpt-6-luna", {"input_tokens": 2600, "cache_read_tokens": 1024}, None)],
    ),
    Shape(
        "decisions denied",
        DECISIONS,
        {"model": "gpt-6-luna", "input": "hi there", "questions": URGENT},
        {"error": {"message": "not enabled", "type": "invalid_request_error"}},
        kind="free",
        status=403,
    ),
    Shape(
        "typesafe",
        "https://api.typesafe.ai/v1/systemone",
        {"model": "jev-latest", "state": "hi there", "questions": {"kind": {"type": "noul", "instructions": "Is it?"}}},
        {
            "model": "jev-1.13.0",
            "answers": {"kind": {"type": "noul", "noul": 0.2}},
            "usage": {"input_tokens": 456, "output_tokens": 56},
        },
        bills=[("jev-1.13.0", {"input_tokens": 456}, None)],
    ),
]
