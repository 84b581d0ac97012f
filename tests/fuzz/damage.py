"""Ways in which files come to harm, and in which somebody means harm."""

from random import Random

_EXTREMES = (
    b"0", b"-1", b"1", b"255", b"65535", b"4294967296", b"1000000000000000000", b"1e18", b"1e999", b"9" * 60, b"9" * 5000,
    b"nan", b"inf", b"-inf", b"1_000", "٣".encode(), "１２".encode(), b"0x", b"39.620.02", b"",
)  # fmt: skip
_PIECES = (
    b"\0", b"\x1b[31m", b"\x1b]0;x\x07", b"\r", b"\n", b"\t", b'"', b"'", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"#",
    b"\\", b"$", b"=", b"<", b"&", b"*", b"\xff\xfe", b"\xed\xa0\x80", b'"\\ud800"', "\u202e".encode(), "机架".encode(),
    b" " * 4000, b"[" * 3000, b'{"a":' * 3000, b"[/x]", b"../" * 50, b"a" * 5000, b"\xef\xbb\xbf",
)  # fmt: skip


def damaged(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """One to four kinds of damage."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(_WAYS)(data, random, others)
    return data


def _place(data: bytes, random: Random) -> int:
    return random.randrange(len(data) + 1)


def _flip(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    return data[: _place(data, random)]


def _cut_front(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    return data[_place(data, random) :]


def _insert(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    at = _place(data, random)
    return data[:at] + random.choice(_PIECES) + data[at:]


def _number(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """Replace a run of digits."""
    starts = [n for n in range(len(data)) if data[n : n + 1].isdigit() and not data[n - 1 : n].isdigit()][:20_000]
    if not starts:
        return data
    first = last = random.choice(starts)
    while data[last : last + 1].isdigit():
        last += 1
    return data[:first] + random.choice(_EXTREMES) + data[last:]


def _lines(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """Drop, double, swap or blank a line, or copy it elsewhere."""
    lines = data.split(b"\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[a]
        case 1:
            lines.insert(a, lines[a])
        case 2:
            lines[a], lines[b] = lines[b], lines[a]
        case 3:
            lines[a] = b""
        case _:
            lines.insert(b, lines[a])
    return b"\n".join(lines)


def _words(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """Swap two words, or take one from another form."""
    words = data.split(b" ")
    strange = random.choice(others).split(b" ")
    a, b = random.randrange(len(words)), random.randrange(len(words))
    if random.random() < 0.5:
        words[a], words[b] = words[b], words[a]
    else:
        words[a] = random.choice(strange)[:200]
    return b" ".join(words)


def _splice(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """The beginning of one file and the end of another."""
    other = random.choice(others)
    return data[: _place(data, random)] + other[_place(other, random) :][:20_000]


def _blanks(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """Blanks as mails leave them."""
    return data.replace(b"\t", b" ").replace(b"  ", b" ")


def _repeat(data: bytes, random: Random, others: tuple[bytes, ...]) -> bytes:
    """The whole again, as when a tool ran twice."""
    return data + data if len(data) < 100_000 else data


_WAYS = (_flip, _flip, _cut, _cut_front, _insert, _insert, _number, _number, _number, _lines, _lines, _words, _splice, _blanks,
         _repeat)  # fmt: skip
