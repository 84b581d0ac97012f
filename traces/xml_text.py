"""XML from outside: parsed without definitions of its own, and with a limit to how deep it goes."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, cast

from collectives.errors import InputError
from collectives.gate import quoted, whole

# Deeper than any host's PCI tree.
_DEEPEST = 100


def parse_xml(text: str, path: str | Path) -> ElementTree.Element:
    """The root of a document.

    A document type could name files to be read, and a few lines of entities become gigabytes: such a document is
    refused before it is parsed.

    Parameters
    ----------
    text : str
    path : path
        Begins messages.

    Raises
    ------
    InputError
        If it is no XML, is cut off, has a document type or entities of its own, or is too deep.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: has a document type; expected XML without <!DOCTYPE and <!ENTITY")
    parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("start", "end"))
    root: ElementTree.Element | None = None
    depth = 0
    text = text.strip()
    try:
        # Piece by piece: what is too deep is left before it is built.
        for first in range(0, len(text), 1 << 16):
            parser.feed(text[first : first + (1 << 16)])
            events = cast(list[tuple[str, ElementTree.Element]], list(parser.read_events()))
            for event, element in events:
                root = element if root is None else root
                depth += 1 if event == "start" else -1
                if depth > _DEEPEST:
                    raise InputError(f"{path}: elements inside one another; expected at most {_DEEPEST} deep")
        parser.close()
    except InputError:
        raise
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{path}: not whole XML ({error})") from None
    if root is None:
        raise InputError(f"{path}: not whole XML (no element)")
    return root


def attribute(element: ElementTree.Element, name: str, where: str) -> str:
    """An attribute that must be there.

    Raises
    ------
    InputError
        If it is not.
    """
    value = element.get(name)
    if value is None:
        raise InputError(f"{where}: <{quoted(element.tag)[1:-1]}> without {name}; expected it")
    return value


def whole_attribute(
    element: ElementTree.Element, name: str, where: str, low: int = 0, high: int = 1 << 31, default: int | None = None
) -> int:
    """A whole number that is an attribute.

    Raises
    ------
    InputError
        If it is none in the range, or not there and there is no default.
    """
    if default is not None and element.get(name) is None:
        return default
    return whole(attribute(element, name, where), f"{where}: {name}", low, high)
