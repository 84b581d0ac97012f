"""What registries of formats share: a format that the beginning of its files tells, and a table of such formats.

Imported without numpy, as help texts need it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from traces.naming import listed, resolved


@dataclass(frozen=True)
class ToldFormat:
    """A format of files.

    Attributes
    ----------
    name : str
        Unique in its table.
    title : str
        What people call it.
    shape : str
        Regular expression that matches (`re.search`, multi-line) the beginning of every such file, and of no other.
    reader : callable or str
        What reads them; or ``"module:function"``, imported when it is needed.

    Raises
    ------
    InputError
        If a part is empty, or the shape is no regular expression.
    """

    what: ClassVar[str] = "format"

    name: str
    title: str
    shape: str
    reader: Callable[..., Any] | str

    def __post_init__(self) -> None:
        reason = self._wrong()
        if reason:
            from collectives.errors import InputError

            raise InputError(f"{self.what} {self.name!r}: {reason}")

    def _wrong(self) -> str:
        """Why this is no format; empty if it is one."""
        try:
            re.compile(self.shape)
        except re.error as error:
            return f"shape: not a regular expression ({error})"
        return "" if self.name and self.title and self.shape else "expected a name, a title and a shape"

    def read(self, *given: Any) -> Any:
        """What the reader makes of what it is given."""
        return resolved(self.reader)(*given)


F = TypeVar("F", bound=ToldFormat)


class FormatTable(Generic[F]):
    """Formats by their names; what is registered later is tried first.

    Parameters
    ----------
    what : str
        How messages call such a format.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._formats: dict[str, F] = {}

    def register(self, new: F) -> None:
        """Add a format; it is tried before those that are there.

        Raises
        ------
        InputError
            If there is one of that name.
        """
        if new.name in self._formats:
            from collectives.errors import InputError

            raise InputError(f"{self._what} {new.name!r}: registered already; expected another name")
        self._formats[new.name] = new

    def formats(self) -> tuple[F, ...]:
        """Every format, in the order in which they are tried."""
        return tuple(reversed(self._formats.values()))

    def titles(self) -> str:
        """What people call the formats, for help and error texts."""
        return listed(one.title for one in self.formats())

    def of_text(self, head: str) -> F | None:
        """The format of a file that begins so; None if it is of none that is registered."""
        return next((one for one in self.formats() if re.search(one.shape, head, re.MULTILINE)), None)

    def named(self, name: str) -> F:
        """The format of a name.

        Raises
        ------
        InputError
            If there is none; says the nearest name.
        """
        if name not in self._formats:
            from collectives.errors import InputError
            from collectives.suggestion import hint

            raise InputError(f"{self._what} {name!r}: unknown; {hint(name, self._formats)}")
        return self._formats[name]
