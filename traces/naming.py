"""Small parts that the registries of formats share; imported without numpy, as help texts need them."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any


def resolved(reference: Callable[..., Any] | str) -> Callable[..., Any]:
    """The callable that ``"module:function"`` names; a callable as it is."""
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def listed(titles: Iterable[str], last: str = "or") -> str:
    """Titles in a sentence, each once: ``a, b or c``."""
    once = list(dict.fromkeys(titles))
    return f" {last} ".join(filter(None, [", ".join(once[:-1]), *once[-1:]]))
