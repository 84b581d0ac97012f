"""Text from outside as messages and tables show it: nothing that a terminal obeys, and not too much of it."""

import re
import unicodedata

QUOTED = 80
"""Characters of a text from outside that a message shows at most."""

# What a terminal obeys or what turns the order of letters around: controls, formats, surrogates, line separators.
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Quoted text in a message, and names without a blank; a path has a slash, and is shown whole up to what systems take.
_LONG_QUOTE = re.compile(rf"'([^']{{{QUOTED + 4},}})'")
_LONG_WORD = re.compile(rf"[^\s/]{{{2 * QUOTED},}}")
_MOST = 700


def printable(text: str) -> str:
    r"""Text with all that a terminal obeys, and lone surrogates, written as ``\x1b``, ``\n`` or ``\u202e``.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) if unicodedata.category(letter) in _UNSHOWN else letter for letter in text)


def quoted(text: str) -> str:
    """Text in quotes for a message, `printable`, cut after `QUOTED` characters with its length behind it."""
    if len(text) <= QUOTED:
        return f"'{printable(text)}'"
    return f"'{printable(text[:QUOTED])}...' ({len(text):,} characters)"


def shown(value: object) -> str:
    """Any parsed value for a message: text as `quoted`, a huge number by its size, else its repr cut like a text."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"(a number of {value.bit_length():,} bits)"
    if isinstance(value, (list, dict, tuple)) and value:
        return f"(a {'table' if isinstance(value, dict) else 'list'} of {len(value):,})"
    text = printable(repr(value))
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}... ({len(text):,} characters)"


def with_article(noun: str) -> str:
    """A noun with its article, by its first letter: ``a reduce``, ``an all-reduce``."""
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def _escaped(letter: str) -> str:
    code = ord(letter)
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    return short or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def one_line(message: str) -> str:
    """A message as it is printed: `printable`, no quoted text longer than `QUOTED` and no word twice as long."""
    text = printable(message[:_MOST])
    text = _LONG_QUOTE.sub(lambda found: f"'{found[1][:QUOTED]}...' ({len(found[1]):,} characters)", text)
    return _LONG_WORD.sub(lambda found: f"{found[0][:QUOTED]}...", text) + ("..." if len(message) > _MOST else "")
