"""OpenAI's own APIs, and those of Azure."""

from tests.wire.shapes import HI, Shape, ask, chat, counted, response, spent, tokens

API = "https://api.openai.com/v1"
CALL = (
    b'--x\r\nContent-Disposition: form-data; name="session"\r\nContent-Type: application/json\r\n\r\n'
    b'{"model":"gpt-realtime","type":"realtime"}\r\n--x--'
)

SHAPES = [
    Shape(
        "search preview",
        f"{API}/chat/completions",
        ask("gpt-4o-search-preview", web_search_options={"search_context_size": "low"}),
        chat("gpt-4o-search-preview-2025-03-11", spent(14, 60)),
        bills=[("gpt-4o-search-preview-2025-03-11", tokens(14, 60, web_searches=1), None)],
    ),
    Shape(
        "azure filtered",
        "https://my.openai.azure.com/openai/deployments/mine/chat/completions?api-version=2024-06-01",
        {"messages": HI},
        {
            "choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {}}],
            "model": "gpt-4o-2024-08-06",
            "usage": spent(15, 19),
            "prompt_filter_results": [],
        },
        bills=[("gpt-4o-2024-08-06", tokens(15, 19), None)],
    ),
    Shape(
        "azure stream filters",
        "https://my.openai.azure.com/openai/deployments/mine/chat/completions?api-version=2024-06-01",
        {"messages": HI, "stream": True, "stream_options": {"include_usage": True}},
        [
            {"choices": [], "model": "", "prompt_filter_results": []},
            {
                "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}],
                "model": "gpt-4o-2024-08-06",
                "usage": None,
            },
            {
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "model": "gpt-4o-2024-08-06",
                "usage": None,
            },
            {"choices": [], "model": "gpt-4o-2024-08-06", "usage": spent(15, 19)},
            "data: [DONE]\n\n",
        ],
        bills=[("gpt-4o-2024-08-06", tokens(15, 19), None)],
    ),
    Shape(
        "azure 400 filter",
        "https://my.openai.azure.com/openai/deployments/mine/chat/completions?api-version=2024-06-01",
        {"messages": HI},
        {"error": {"code": "content_filter", "status": 400}},
        kind="free",
        status=400,
    ),
    Shape(
        "audio in",
        "https://api.openai.com/v1/chat/completions",
        ask("gpt-4o-audio-preview"),
        chat(
            "gpt-4o-audio-preview-2024-12-17",
            spent(
                81,
                72,
                prompt_tokens_details={"audio_tokens": 69, "cached_tokens": 0, "text_tokens": 12, "image_tokens": 0},
                completion_tokens_details={"audio_tokens": 0, "text_tokens": 72, "reasoning_tokens": 0},
            ),
        ),
        bills=[("gpt-4o-audio-preview-2024-12-17", tokens(81, 72, input_audio_tokens=69), None)],
    ),
    Shape(
        "predicted",
        f"{API}/chat/completions",
        ask("gpt-4o", prediction={"type": "content", "content": "x"}),
        chat(
            "gpt-4o-2024-08-06",
            spent(
                50,
                80,
                completion_tokens_details={
                    "accepted_prediction_tokens": 20,
                    "rejected_prediction_tokens": 35,
                    "reasoning_tokens": 0,
                },
            ),
        ),
        bills=[("gpt-4o-2024-08-06", tokens(50, 80), None)],
    ),
    Shape(
        "flex",
        f"{API}/chat/completions",
        ask("o3", service_tier="flex"),
        chat("o3-2025-04-16", spent(50, 80), service_tier="flex"),
        bills=[("o3-2025-04-16", tokens(50, 80), None)],
    ),
    Shape(
        "priority downgraded",
        f"{API}/chat/completions",
        ask("gpt-5", service_tier="priority"),
        chat("gpt-5-2025-08-07", spent(50, 80), service_tier="default"),
        bills=[("gpt-5-2025-08-07", tokens(50, 80), None)],
    ),
    Shape(
        "resp file search",
        f"{API}/responses",
        {"model": "gpt-4o", "input": "hi", "tools": [{"type": "file_search", "vector_store_ids": ["vs"]}]},
        response(
            "gpt-4o-2024-08-06",
            counted(900, 50),
            [{"type": "file_search_call", "queries": ["x"], "status": "completed"}, {"type": "message", "content": []}],
        ),
        bills=[("gpt-4o-2024-08-06", tokens(900, 50), None)],
    ),
    Shape(
        "resp web search",
        f"{API}/responses",
        {"model": "gpt-5", "input": "hi", "tools": [{"type": "web_search"}]},
        response(
            "gpt-5-2025-08-07",
            counted(900, 50),
            [
                {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
                {"type": "web_search_call", "action": {"type": "open_page", "url": "x"}},
                {"type": "web_search_call", "action": {"type": "find_in_page"}},
                {"type": "web_search_call", "action": {"type": "search", "query": "y"}},
            ],
        ),
        bills=[("gpt-5-2025-08-07", tokens(900, 50, web_searches=2), None)],
    ),
    Shape(
        "resp incomplete",
        f"{API}/responses",
        {"model": "gpt-5", "input": "hi", "max_output_tokens": 16},
        {
            **response("gpt-5", counted(9, 16)),
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
        },
        bills=[("gpt-5", tokens(9, 16), None)],
    ),
    Shape(
        "resp failed stream",
        f"{API}/responses",
        {"model": "gpt-5", "input": "hi", "stream": True},
        [
            {
                "type": "response.created",
                "response": {"id": "r", "status": "in_progress", "model": "gpt-5", "usage": None, "output": []},
            },
            {
                "type": "response.failed",
                "response": {
                    "id": "r",
                    "status": "failed",
                    "model": "gpt-5",
                    "error": {"code": "server_error"},
                    "usage": None,
                    "output": [],
                },
            },
        ],
        kind="held",
    ),
    Shape(
        "resp error event",
        f"{API}/responses",
        {"model": "gpt-5", "input": "hi", "stream": True},
        [
            {
                "type": "response.created",
                "response": {"id": "r", "status": "in_progress", "model": "gpt-5", "usage": None, "output": []},
            },
            {"type": "error", "code": "x", "message": "y"},
        ],
        kind="held",
    ),
    Shape(
        "resp drawn",
        f"{API}/responses",
        {"model": "gpt-5", "input": "draw", "tools": [{"type": "image_generation"}]},
        response(
            "gpt-5-2025-08-07",
            counted(388, 142),
            [{"type": "image_generation_call", "result": "AAAA"}],
            tools=[{"type": "image_generation", "model": "gpt-image-2"}],
            tool_usage={
                "image_gen": {
                    "input_tokens": 30,
                    "input_tokens_details": {"image_tokens": 0, "text_tokens": 30},
                    "output_tokens": 196,
                    "output_tokens_details": {"image_tokens": 196, "text_tokens": 0},
                    "total_tokens": 226,
                },
                "web_search": {"num_requests": 0},
            },
        ),
        bills=[
            ("gpt-5-2025-08-07", tokens(388, 142), None),
            ("gpt-image-2", tokens(30, 196, input_text_tokens=30), None),
        ],
    ),
    Shape(
        "resp drawn unsaid",
        f"{API}/responses",
        {"model": "gpt-5", "input": "draw", "tools": [{"type": "image_generation"}]},
        response(
            "gpt-5-2025-08-07",
            counted(388, 142),
            [{"type": "image_generation_call", "result": "AAAA"}],
            tools=[{"type": "image_generation", "model": "gpt-image-1"}],
        ),
        kind="unread",
    ),
    Shape(
        "resp count",
        f"{API}/responses/input_tokens",
        {"model": "gpt-5", "input": "hi"},
        {"object": "response.input_tokens", "input_tokens": 7},
        kind="free",
    ),
    Shape(
        "resp get input items",
        f"{API}/responses/resp_1/input_items",
        None,
        {"object": "list", "data": []},
        kind="free",
        method="GET",
    ),
    Shape(
        "resp delete", f"{API}/responses/resp_1", None, {"id": "resp_1", "deleted": True}, kind="free", method="DELETE"
    ),
    Shape(
        "resp compact",
        f"{API}/responses/compact",
        {"model": "gpt-5", "input": "hi"},
        {"id": "r", "object": "response.compaction", "output": [{"type": "compaction"}], "usage": counted(139, 438)},
        bills=[("gpt-5", tokens(139, 438), None)],
    ),
    Shape(
        "emb",
        f"{API}/embeddings",
        {"model": "text-embedding-3-small", "input": ["a", "b"]},
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [],
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        },
        bills=[("text-embedding-3-small", {"input_tokens": 4}, None)],
    ),
    Shape(
        "moderation",
        f"{API}/moderations",
        {"input": "x"},
        {"id": "m", "model": "omni-moderation-latest", "results": []},
        kind="free",
    ),
    Shape(
        "conversation items",
        f"{API}/conversations/conv_1/items",
        {"items": []},
        {"object": "list", "data": []},
        kind="free",
    ),
    Shape("file content", f"{API}/containers/c/files/f/content", None, b"a,b\r\n1,2\r\n", kind="free", method="GET"),
    Shape(
        "upload",
        f"{API}/files",
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x--',
        {"id": "file-1"},
        kind="free",
    ),
    Shape(
        "vector store",
        f"{API}/vector_stores",
        {"name": "v"},
        {"id": "vs_1", "object": "vector_store", "status": "in_progress", "usage_bytes": 0},
        kind="free",
    ),
    Shape(
        "vector store file",
        f"{API}/vector_stores/vs_1/files",
        {"file_id": "file-1"},
        {"id": "file-1", "object": "vector_store.file", "status": "in_progress", "usage_bytes": 0},
        kind="free",
    ),
    Shape(
        "background",
        f"{API}/responses",
        {"model": "gpt-5", "input": "hi", "background": True},
        {"id": "resp_1", "object": "response", "status": "queued", "model": "gpt-5", "output": [], "usage": None},
        kind="later",
    ),
    Shape(
        "background collected",
        f"{API}/responses/resp_1",
        None,
        response("gpt-5-2025-08-07", counted(9, 4), background=True),
        bills=[("gpt-5-2025-08-07", tokens(9, 4), None)],
        method="GET",
    ),
    Shape(
        "background cancelled",
        f"{API}/responses/resp_1/cancel",
        None,
        {"id": "resp_1", "object": "response", "status": "cancelled", "model": "gpt-5", "output": [], "usage": None},
        kind="held",
    ),
    Shape(
        "vs search",
        f"{API}/vector_stores/vs_1/search",
        {"query": "x"},
        {"object": "vector_store.search_results.page", "data": []},
        kind="free",
    ),
    Shape("realtime hangup", f"{API}/realtime/calls/rtc_1/hangup", None, b"", kind="free"),
    Shape("live hangup", f"{API}/live/sessions/live_1/hangup", None, b"", kind="free"),
    Shape(
        "live session",
        f"{API}/live/sessions",
        {"session": {"model": "gpt-live-1"}},
        {"session": {"id": "live_1"}},
        kind="unread",
    ),
    Shape(
        "realtime secret",
        f"{API}/realtime/client_secrets",
        {"session": {"type": "realtime", "model": "gpt-realtime"}},
        {"value": "ek", "session": {"model": "gpt-realtime"}},
        kind="free",
    ),
    Shape(
        "realtime call",
        f"{API}/realtime/calls",
        CALL,
        b"v=0\r\n",
        kind="unread",
        status=201,
    ),
    Shape(
        "unknown model",
        f"{API}/chat/completions",
        ask("gpt-99-secret"),
        chat("gpt-99-secret", spent(9, 4)),
        bills=[("gpt-99-secret", tokens(9, 4), None)],
    ),
    Shape(
        "negative",
        f"{API}/chat/completions",
        ask("gpt-4o"),
        chat("gpt-4o", {"prompt_tokens": -1, "completion_tokens": 5, "total_tokens": 4}),
        kind="unread",
    ),
    Shape(
        "float",
        f"{API}/chat/completions",
        ask("gpt-4o"),
        chat("gpt-4o", {"prompt_tokens": 9.0, "completion_tokens": 4.0, "total_tokens": 13.0}),
        bills=[("gpt-4o", tokens(9, 4), None)],
    ),
    Shape(
        "fraction",
        f"{API}/chat/completions",
        ask("gpt-4o"),
        chat("gpt-4o", {"prompt_tokens": 9.5, "completion_tokens": 4, "total_tokens": 13}),
        kind="unread",
    ),
    Shape(
        "done missing",
        f"{API}/chat/completions",
        ask("gpt-4o", stream=True, stream_options={"include_usage": True}),
        [
            {
                "model": "gpt-4o",
                "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}],
                "usage": None,
            },
            {"model": "gpt-4o", "choices": [], "usage": spent(9, 4)},
        ],
        bills=[("gpt-4o", tokens(9, 4), None)],
    ),
    Shape("redirect", f"{API}/chat/completions", ask("gpt-4o"), b"", kind="free", status=307),
    Shape("504", f"{API}/chat/completions", ask("gpt-4o"), b"<html>", kind="held", status=504),
]
