"""Objects that are known by their fields: named tuples, dataclasses, and those of attrs, pydantic and msgspec.

None of these libraries is imported here: an object can be of one only where somebody else has imported it.
"""

import sys
from dataclasses import fields
from pathlib import PurePath
from typing import Any

_BUILT_IN = (str, bytes, int, float, complex, list, dict, set, frozenset, PurePath)
"""What is more than its fields, also where a dataclass is made of it."""


def fields_of(value: Any) -> tuple[str, ...] | None:
    """The names of the fields that two equal objects have in common; None where it is no such object.

    A field that takes no part in comparisons (`compare=False`, `eq=False`) is left out. So are pydantic's private
    attributes.
    """
    kind = type(value)
    if isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
        is_named = isinstance(names, tuple) and len(names) == len(value)
        return names if is_named else None
    if isinstance(value, (*_BUILT_IN, type)):
        return None
    if hasattr(kind, "__dataclass_fields__"):
        return tuple(field.name for field in fields(value) if field.compare)
    if isinstance(vars(kind).get("__attrs_attrs__"), tuple):
        return tuple(field.name for field in kind.__attrs_attrs__ if field.eq)
    if _is_of(value, "pydantic", "BaseModel"):
        return (*_pydantic_fields(kind), *(getattr(value, "__pydantic_extra__", None) or ()))
    if _is_of(value, "msgspec", "Struct"):
        names = kind.__struct_fields__
        return tuple(names)
    return None


def home_of(kind: type) -> tuple[str, str]:
    """The module and the name of a class, the same whether its module was imported or is the program that runs."""
    module = kind.__module__
    if module == "__main__":
        program = sys.modules["__main__"]
        spec, file = getattr(program, "__spec__", None), getattr(program, "__file__", None)
        module = spec.name if spec is not None else PurePath(file).stem if file else module
    return module, kind.__qualname__


def _is_of(value: object, module: str, name: str) -> bool:
    found = sys.modules.get(module)
    kind = getattr(found, name, None) if found is not None else None
    return isinstance(kind, type) and isinstance(value, kind)


def _pydantic_fields(kind: Any) -> tuple[str, ...]:
    found = getattr(kind, "model_fields", None)
    return tuple(kind.__fields__ if found is None else found)
