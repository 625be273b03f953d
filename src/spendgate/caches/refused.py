"""What is said of a value that cannot be part of a key, and what to pass instead."""

import io
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

_CODE = (FunctionType, BuiltinFunctionType, MethodType, partial)


def refusal(value: Any, base: type | None) -> tuple[str, str]:
    """What a value is, in words, and the remedy. `base` is the type that it extends by something of its own."""
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    found = _code(value) or _container(value, name)
    if found is not None:
        return found
    if base is not None:
        article = "an" if base.__name__[0] in "aeiou" else "a"
        kind = f"{article} {base.__name__} with more to it ({name})"
        return kind, f"pass {base.__name__}(value), and what it adds apart"
    if _has_default_repr(type(value)):
        return f"an object known only by its address ({name})", "pass the fields that identify it, such as its id"
    return f"of a type without a spelling ({name})", "pass the fields that identify it, or str(value) if that is stable"


def _code(value: Any) -> tuple[str, str] | None:
    if isinstance(value, type):
        return f"the class {value.__qualname__}", "pass its name as text, if that stays what it is"
    if isinstance(value, _CODE):
        what = str(getattr(value, "__qualname__", type(value).__name__))
        kind = "a lambda" if what.endswith("<lambda>") else f"the function {what}"
        return kind, "call it and pass what it returns, or pass a name and a version as text"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}", "pass its name as text"
    return None


def _container(value: Any, name: str) -> tuple[str, str] | None:
    if isinstance(value, io.IOBase):
        return f"an open file ({name})", "pass its path, or a digest of what it contains"
    if any(kind.__module__ == "numpy" for kind in type(value).__mro__):
        return f"a value of numpy ({name})", "pass value.item() or value.tolist()"
    if isinstance(value, bytearray | memoryview):
        return f"bytes that may change ({name})", "pass bytes(value)"
    if isinstance(value, Mapping):
        return f"a mapping of its own kind ({name})", "pass dict(value)"
    if isinstance(value, Iterator):
        return f"an iterator ({name}), used up by reading it", "pass list(value)"
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return f"a collection of its own kind ({name})", "pass list(value), tuple(value) or set(value)"
    return None


def _has_default_repr(kind: Any) -> bool:
    return kind.__repr__ is object.__repr__
