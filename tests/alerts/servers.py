"""Real servers on loopback, for sinks to talk to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """A webhook's far end: keeps what was posted and answers with `status`, or, while `silent`, not at all."""

    def __init__(self, status: int = 204, silent: bool = False) -> None:
        self.status = status
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.reached = threading.Event()
        self.speak = threading.Event()
        if not silent:
            self.speak.set()
        self.url = ""


@contextmanager
def listening(hook: Hook) -> Iterator[Hook]:
    """Runs the far end until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append((self.path, dict(self.headers.items()), body))
            hook.reached.set()
            hook.speak.wait()
            try:
                self.send_response(hook.status)
                if 300 <= hook.status < 400:
                    self.send_header("Location", f"{hook.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
            except ConnectionError:
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 - http.server asks for this name

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

    with Server(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hook
        finally:
            hook.speak.set()
            server.shutdown()
            thread.join()


class Mailbox:
    """A mail server's far end: keeps the messages, refuses the recipients named in `refuses`."""

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        self.refuses = refuses
        self.recipients: list[str] = []
        self.messages: list[bytes] = []
        self.port = 0


@contextmanager
def receiving(mailbox: Mailbox) -> Iterator[Mailbox]:
    """Speaks just enough SMTP until the block is left."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 loopback")
            while line := self.rfile.readline():
                verb = line.decode().strip()
                command = verb.upper()
                if command.startswith("RCPT") and any(name in verb for name in mailbox.refuses):
                    self.say("550 no such mailbox")
                elif command.startswith("RCPT"):
                    mailbox.recipients.append(verb.partition(":")[2].strip("<> "))
                    self.say("250 fine")
                elif command == "DATA":
                    self.say("354 go on")
                    mailbox.messages.append(self.until_dot())
                    self.say("250 taken")
                elif command == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 fine")

        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        def until_dot(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            return b"".join(lines)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
