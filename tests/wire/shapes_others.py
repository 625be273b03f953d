"""Anthropic, Mistral, Cohere, Voyage, ElevenLabs and Ollama."""

from tests.wire.shapes import HI, Shape, ask, chat, message, spent, tokens

A = "https://api.anthropic.com/v1"

SHAPES = [
    Shape(
        "cohere rerank",
        "https://api.cohere.com/v2/rerank",
        {"model": "rerank-v3.5", "query": "hi", "documents": ["a", "b"]},
        {"id": "x", "results": [], "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}},
        bills=[("rerank-v3.5", {"rerank_searches": 1}, None)],
    ),
    Shape(
        "cohere generate",
        "https://api.cohere.ai/v1/generate",
        {"model": "command", "prompt": "hi", "stream": False},
        {"id": "x", "generations": [], "meta": {"billed_units": {"input_tokens": 7, "output_tokens": 138}}},
        bills=[("command", tokens(7, 138), None)],
    ),
    Shape(
        "cohere stream of version 1",
        "https://api.cohere.com/v1/chat",
        {"model": "command-r-08-2024", "message": "hi", "stream": True},
        [
            {"event_type": "text-generation", "text": "hel"},
            {
                "event_type": "stream-end",
                "finish_reason": "COMPLETE",
                "response": {"text": "hel", "meta": {"billed_units": {"input_tokens": 7, "output_tokens": 3}}},
            },
        ],
        bills=[("command-r-08-2024", tokens(7, 3), None)],
    ),
    Shape(
        "11labs agent",
        "https://api.elevenlabs.io/v1/convai/agents/agent_1",
        {"name": "x"},
        {"agent_id": "agent_1"},
        kind="free",
        method="PATCH",
    ),
    Shape(
        "11labs tool", "https://api.elevenlabs.io/v1/convai/tools", {"tool_config": {}}, {"id": "tool_1"}, kind="free"
    ),
    Shape(
        "11labs speech",
        "https://api.elevenlabs.io/v1/text-to-speech/voice",
        {"text": "hi", "model_id": "eleven_flash_v2"},
        b"ID3",
        kind="unread",
    ),
    Shape(
        "cohere cached",
        "https://api.cohere.com/v2/chat",
        {"model": "command-r7b-12-2024", "messages": HI},
        {
            "id": "x",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": []},
            "usage": {
                "billed_units": {"input_tokens": 2406, "output_tokens": 2},
                "tokens": {"input_tokens": 2935, "output_tokens": 4},
                "cached_tokens": 2928,
            },
        },
        bills=[("command-r7b-12-2024", tokens(2406, 2), None)],
    ),
    Shape(
        "compaction",
        f"{A}/messages",
        ask("claude-sonnet-4-6", max_tokens=64),
        message(
            "claude-sonnet-4-6",
            180,
            8,
            iterations=[
                {
                    "type": "compaction",
                    "input_tokens": 100,
                    "output_tokens": 82,
                    "cache_creation_input_tokens": 55096,
                    "cache_read_input_tokens": 0,
                    "cache_creation": {"ephemeral_5m_input_tokens": 55096, "ephemeral_1h_input_tokens": 0},
                },
                {
                    "type": "message",
                    "input_tokens": 180,
                    "output_tokens": 8,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                },
            ],
        ),
        bills=[("claude-sonnet-4-6", tokens(280 + 55096, 90, cache_write_tokens=55096), None)],
    ),
    Shape(
        "advisor",
        f"{A}/messages",
        ask("claude-haiku-4-5", max_tokens=64),
        message(
            "claude-haiku-4-5-20251001",
            412,
            531,
            iterations=[
                {"type": "message", "input_tokens": 412, "output_tokens": 89},
                {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 823, "output_tokens": 1612},
                {"type": "message", "input_tokens": 1348, "output_tokens": 442, "cache_read_input_tokens": 0},
            ],
        ),
        bills=[("claude-haiku-4-5-20251001", tokens(1760, 531), None), ("claude-opus-4-6", tokens(823, 1612), None)],
    ),
    Shape("anthropic files", f"{A}/files", b"--x", {"id": "file_1"}, kind="free"),
    Shape("anthropic file content", f"{A}/files/file_1/content", None, b"x", kind="free", method="GET"),
    Shape("anthropic skills", f"{A}/skills", b"--x", {"id": "skill_1"}, kind="free"),
    Shape("anthropic skill versions", f"{A}/skills/skill_1/versions", b"--x", {"id": "v"}, kind="free"),
    Shape(
        "anthropic 1h",
        f"{A}/messages?beta=true",
        ask("claude-sonnet-4-5", max_tokens=64),
        message(
            "claude-sonnet-4-5-20250929",
            3,
            9,
            cache_creation_input_tokens=900,
            cache_creation={"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 600},
            cache_read_input_tokens=50,
        ),
        bills=[
            (
                "claude-sonnet-4-5-20250929",
                tokens(953, 9, cache_read_tokens=50, cache_write_tokens=300, cache_write_1h_tokens=600),
                None,
            )
        ],
    ),
    Shape(
        "anthropic web",
        f"{A}/messages",
        ask("claude-sonnet-4-5", max_tokens=64, tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        message(
            "claude-sonnet-4-5-20250929", 3000, 90, server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1}
        ),
        bills=[("claude-sonnet-4-5-20250929", tokens(3000, 90, web_searches=2), None)],
    ),
    Shape(
        "mistral ocr",
        "https://api.mistral.ai/v1/ocr",
        {"model": "mistral-ocr-latest", "document": {"type": "document_url", "document_url": "https://x"}},
        {"model": "mistral-ocr-2505", "pages": [], "usage_info": {"pages_processed": 3, "doc_size_bytes": 9}},
        kind="unread",
    ),
    Shape(
        "mistral conversation",
        "https://api.mistral.ai/v1/conversations",
        {"model": "mistral-medium-latest", "inputs": "hi"},
        {
            "object": "conversation.response",
            "conversation_id": "c",
            "outputs": [{"type": "message.output", "model": "mistral-medium-latest"}],
            "usage": spent(9, 4, connector_tokens=None),
        },
        bills=[("mistral-medium-latest", tokens(9, 4), None)],
    ),
    Shape(
        "mistral fim",
        "https://api.mistral.ai/v1/fim/completions",
        {"model": "codestral-latest", "prompt": "def"},
        chat("codestral-latest", spent(9, 4)),
        bills=[("codestral-latest", tokens(9, 4), None)],
    ),
    Shape(
        "mistral moderation",
        "https://api.mistral.ai/v1/moderations",
        {"model": "mistral-moderation-latest", "input": ["x"]},
        {
            "id": "m",
            "model": "mistral-moderation-2411",
            "results": [],
            "usage": {"prompt_tokens": 4, "total_tokens": 4, "completion_tokens": 0},
        },
        bills=[("mistral-moderation-2411", {"input_tokens": 4}, None)],
    ),
    Shape(
        "mistral stream null",
        "https://api.mistral.ai/v1/chat/completions",
        ask("mistral-small-latest", stream=True),
        [
            {
                "model": "mistral-small-latest",
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
                        "finish_reason": None,
                    }
                ],
            },
            {
                "model": "mistral-small-latest",
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}],
                "usage": spent(9, 4),
            },
            "data: [DONE]\n\n",
        ],
        bills=[("mistral-small-latest", tokens(9, 4), None)],
    ),
    Shape(
        "voyage",
        "https://api.voyageai.com/v1/embeddings",
        {"model": "voyage-3.5", "input": ["x"]},
        {"object": "list", "data": [], "model": "voyage-3.5", "usage": {"total_tokens": 5}},
        bills=[("voyage-3.5", {"input_tokens": 5}, None)],
    ),
    Shape(
        "ollama",
        "http://localhost:11434/api/chat",
        {"model": "qwen3", "messages": HI, "stream": False},
        {
            "model": "qwen3",
            "message": {"role": "assistant", "content": "x"},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 9,
            "eval_count": 4,
        },
        bills=[("qwen3", tokens(9, 4), None)],
    ),
]
