"""What the pipeline pays for, on loopback: an API that enriches records and one that sends mails, with accounts."""

import json
import threading
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


def company(record: str) -> str:
    """What the API says of a record."""
    return f"Company {record} Ltd"


class Services:
    """Both services on one port. `enriched` and `mailed` count what was charged, by record."""

    def __init__(self) -> None:
        self.enriched: Counter[str] = Counter()
        self.mailed: Counter[str] = Counter()
        self._server = _server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where they are on this machine."""
        return self._server.server_port

    def answer(self, path: str, record: str) -> dict[str, str]:
        """Does the work and charges for it; the same record always gets the same answer."""
        if path == "/mails":
            self.mailed[record] += 1
            return {"sent": record}
        self.enriched[record] += 1
        return {"record": record, "company": company(record)}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Client:
    """The pipeline's side of the connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def post(self, path: str, record: str) -> dict[str, Any]:
        """One paid call."""
        self._connection.request("POST", path, json.dumps({"record": record}), {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def _server(services: Services) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer leaves in one piece
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(services.answer(self.path, request["record"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The accounts are the log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    return Server(("127.0.0.1", 0), Handler)
