"""Which sources of change a key function reads while it runs, seen by the interpreter's own profiler."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENVIRONMENT = "environment"

_BUILTINS = {
    ("builtins", "hash"): "hash",
    ("builtins", "id"): "id",
    ("time", "time"): "clock",
    ("time", "time_ns"): "clock",
    ("time", "localtime"): "clock",
    ("time", "gmtime"): "clock",
    ("time", "ctime"): "clock",
    ("time", "strftime"): "clock",
    ("time", "monotonic"): "stopwatch",
    ("time", "monotonic_ns"): "stopwatch",
    ("time", "perf_counter"): "stopwatch",
    ("time", "perf_counter_ns"): "stopwatch",
    ("time", "process_time"): "stopwatch",
    ("posix", "getpid"): "process id",
    ("posix", "getppid"): "process id",
    ("posix", "getcwd"): "working directory",
    ("posix", "urandom"): "random",
    ("posix", "uname"): "host name",
    ("_socket", "gethostname"): "host name",
    ("_thread", "get_ident"): "thread",
    ("_thread", "get_native_id"): "thread",
    ("_locale", "localeconv"): "locale",
    ("_locale", "setlocale"): "locale",
}
"""Functions written in C, by module and name."""

_METHODS = {
    ("datetime", "now"): "clock",
    ("datetime", "utcnow"): "clock",
    ("datetime", "today"): "clock",
    ("date", "today"): "clock",
    ("count", "__next__"): "counter",
    ("Random", "random"): "random",
    ("Random", "getrandbits"): "random",
    ("SystemRandom", "random"): "random",
}
"""Methods written in C, by the name of their class or object's class."""

_FILES = {
    "uuid": {"uuid1": "uuid", "uuid4": "uuid", "uuid6": "uuid", "uuid7": "uuid", "getnode": "host name"},
    "random": dict.fromkeys(("randint", "randrange", "choice", "uniform", "sample", "shuffle", "randbytes"), "random"),
    "secrets": dict.fromkeys(("token_hex", "token_bytes", "token_urlsafe", "randbelow"), "random"),
    "platform": {"node": "host name", "uname": "host name"},
    "socket": {"getfqdn": "host name"},
    "locale": dict.fromkeys(("localeconv", "format_string", "currency", "getlocale", "str"), "locale"),
    "threading": {"current_thread": "thread", "get_ident": "thread"},
}
"""Functions written in Python, by the standard library's module."""

_HARMLESS = {"hash", "id", "stopwatch", "thread"}
"""What the standard library asks for on its own account: where a structure contains itself, when to wake up."""


class Trace:
    """What a function read while it ran: sources, and how each was asked; environment variables by name."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.variables: set[str] = set()

    def seen(self, frame: FrameType, event: str, argument: Any) -> None:
        """The profiler's hook."""
        if event == "c_call":
            self._builtin(argument, frame)
        elif event == "call":
            self._python(frame)

    def _builtin(self, function: Any, caller: FrameType) -> None:
        owner = getattr(function, "__self__", None)
        name = getattr(function, "__name__", "")
        source = _BUILTINS.get((getattr(function, "__module__", None) or "", name))
        if source is None and owner is not None:
            kind = owner if isinstance(owner, type) else type(owner)
            source = next(
                (_METHODS[base.__name__, name] for base in kind.__mro__ if (base.__name__, name) in _METHODS), None
            )
            name = f"{kind.__name__}.{name}"
        if source is not None and not (source in _HARMLESS and _is_library(caller)):
            self.sources.setdefault(source, f"{name}()")

    def _python(self, frame: FrameType) -> None:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module == "os" and name == "__getitem__" and "key" in frame.f_locals:
            variable = frame.f_locals["key"]
            if isinstance(variable, str):
                self.variables.add(variable)
                self.sources.setdefault(ENVIRONMENT, f"os.environ[{variable!r}]")
        source = _FILES.get(module, {}).get(name)
        if source is not None and not (source in _HARMLESS and frame.f_back and _is_library(frame.f_back)):
            self.sources[source] = f"{module}.{name}()"


def _is_library(frame: FrameType) -> bool:
    """Whether code runs there that is neither the user's nor an installed library's: Python's, or ours."""
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return module == "spendgate" or (module in sys.stdlib_module_names and module != "__main__")


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Watches this thread for as long as the block runs."""
    before = sys.getprofile()
    sys.setprofile(trace.seen)
    try:
        yield
    finally:
        sys.setprofile(before)
