"""Counters out of files, folders and archives: every file read by its own reader, all of them one snapshot."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.saying import printable
from collectives.sizes import numbered
from fabric.formats.counters.names import USUAL, Vocabulary
from fabric.formats.counters.reading import CounterReading, notes_of
from fabric.formats.counters.registry import CounterFormat, counter_format_of, counter_titles
from fabric.formats.counters.snapshot import MISSING, RCV, XMIT, CounterSample, Snapshot, by_port
from fabric.formats.dump import without_terminal
from traces.files import max_bytes, read_bytes
from traces.naming import listed

_MOST_FILES = 200_000
_TAR = b"ustar"


def read_counters(paths: Sequence[str | Path] | str | Path, words: Vocabulary = USUAL) -> Snapshot:
    """Counters as they stood at one moment; of a port with several times the last counts.

    Parameters
    ----------
    paths : path or sequence of paths
        Files (plain, gzip, xz), folders of them, tar archives; the format of each is told by what is in it.
    words : Vocabulary
        Names of metrics and labels of the user's own.

    Raises
    ------
    InputError
        A file that cannot be read, is of no format that is registered, or whose reader refuses it; no counter at all.
    """
    source, readings, titles = _read(paths, words)
    samples = [one for reading in readings for one in reading.samples]
    if not samples and any(reading.deltas for reading in readings):
        raise InputError(
            f"{source}: says what counters grew by, not where they stood; expected it as a delta", "--delta"
        )
    series = by_port(samples)
    notes = notes_of(readings)
    if any(len(each) > 1 for each in series.values()):
        notes.append(f"{source}: several times of a port; the last counts")
    return Snapshot.of([each[-1] for each in series.values()], source, titles, notes)


def read_counter_deltas(
    paths: Sequence[str | Path] | str | Path, words: Vocabulary = USUAL
) -> tuple[Snapshot | None, Snapshot]:
    """What counters grew by: a file that says it (None and the growth), or one with several times (first and last).

    A counter that went back between the first time and the last is `MISSING`.  Arguments and errors as for
    `read_counters`.

    Raises
    ------
    InputError
        Also if there is one time only: what counters stand at says nothing of what was carried.
    """
    source, readings, titles = _read(paths, words)
    deltas = [one for reading in readings for one in reading.deltas]
    notes = notes_of(readings)
    if deltas:
        return None, Snapshot.of([each[-1] for each in by_port(deltas).values()], source, titles, notes)
    series = {key: each for key, each in by_port(one for r in readings for one in r.samples).items() if len(each) > 1}
    if not series:
        raise InputError(
            f"{source}: one snapshot; expected two (before and after) or a delta: counters count since a port's last "
            "reset, which is not the same for all",
            "--before A --after B",
        )
    for each in series.values():
        _hide_steps_back(each)
    first = Snapshot.of([each[0] for each in series.values()], source, titles)
    return first, Snapshot.of([each[-1] for each in series.values()], source, titles, notes)


def _hide_steps_back(series: list[CounterSample]) -> None:
    """Forget counters that went back within a series: what they counted in all is not known."""
    for name in series[-1].counts:
        known = [one.counts[name] for one in series if one.counts.get(name, MISSING) >= 0]
        if any(later < earlier for earlier, later in pairwise(known)) and len(known) > 2:
            series[0].counts[name] = MISSING
            series[-1].went_back |= name in (XMIT, RCV)


def _read(paths: Sequence[str | Path] | str | Path, words: Vocabulary) -> tuple[str, list[CounterReading], str]:
    """How the files are called together, what each says, and their formats."""
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise InputError("counters: expected at least one file")
    source = printable(str(given[0])) + (f" and {len(given) - 1:,} more" if len(given) > 1 else "")
    readings: list[CounterReading] = []
    titles: dict[str, None] = {}
    others: list[str] = []
    for name, text in _texts(given):
        if not text.strip():
            readings.append(CounterReading(notes=[f"{printable(name)} is empty: nothing is known of its ports"]))
            continue
        told = _told(text)
        if told is None:
            # Of a folder or an archive the files are meant that hold counters: ibdiagnet writes a dozen others.
            if name in map(str, given):
                raise InputError(f"{name}: unknown kind of file; expected counters of ports: {counter_titles()}")
            others.append(name)
            continue
        found, text = told
        titles[found.title] = None
        reading = found.read(name, text, words)
        whole = text[: text.rfind("\n") + 1]
        if found.lines and len(whole) < len(text) and whole.strip():
            # What the line says reads well, and may be the first digits of a number.
            reading = found.read(name, whole, words)
            reading.notes.append(f"{printable(name)}: the last line has no end, may be cut, and is left out")
        readings.append(reading)
    if not titles:
        empty = "is empty" if len(readings) == 1 and not others else "holds nothing" if not others else "holds none"
        raise InputError(f"{source}: {empty}; expected counters of ports: {counter_titles()}")
    if others:
        what = numbered(len(others), "files without counters are passed over")
        readings.append(CounterReading(notes=[f"{what}, such as {printable(others[0])}"]))
    return source, readings, listed(titles)


def _told(text: str) -> tuple[CounterFormat, str] | None:
    """The format of a text, and the text as its reader takes it: as it is, or without what a terminal adds."""
    for one in (text, without_terminal(text)):
        found = counter_format_of(one)
        if found is not None:
            return found, one
    return None


def _texts(given: Iterable[str | Path]) -> Iterator[tuple[str, str]]:
    """Name and text of every file, those of folders and archives too."""
    for path in given:
        if Path(path).is_dir():
            files = sorted(one for one in Path(path).rglob("*") if one.is_file() and not one.name.startswith("."))
            if not files:
                raise InputError(f"{path}: a folder without files; expected counters of ports")
            for one in files[:_MOST_FILES]:
                yield from _of_file(one)
        else:
            yield from _of_file(path)


def _of_file(path: str | Path) -> Iterator[tuple[str, str]]:
    data = read_bytes(path)
    if data[257:262] != _TAR:
        yield str(path), _text(data)
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            left = max_bytes()
            for member in archive:
                if not member.isfile() or Path(member.name).name.startswith("."):
                    continue
                left -= member.size
                content = archive.extractfile(member)
                if content is None or left < 0:
                    raise InputError(f"{path}: {quoted(member.name)} is too large, or no file")
                yield f"{path}/{printable(member.name)}", _text(content.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a whole tar archive ({error})") from None


def _text(data: bytes) -> str:
    """Names of nodes may hold any bytes."""
    return data.decode("utf-8-sig", "backslashreplace")
