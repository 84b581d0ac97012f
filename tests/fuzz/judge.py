"""What a reader may do with a damaged input: read it, or refuse it in one line, soon and in little memory."""

import hashlib
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from collectives.errors import InputError
from tests.fuzz.damage import damaged
from tests.fuzz.forms import Form, forms

# A line of a terminal or two; the path is ours.
LONGEST = 750


@dataclass(frozen=True)
class Finding:
    """An input that was neither read nor refused as it should be.

    Attributes
    ----------
    form : str
    number : int
        Of the input; with the seed it gives it again.
    what : str
        What happened.
    data : bytes
    """

    form: str
    number: int
    what: str
    data: bytes


class TooLong(BaseException):
    """An input that takes too long; no reader catches it."""


def _late(number: int, frame: FrameType | None) -> None:
    raise TooLong


def damaged_input(seed: int, number: int) -> tuple[Form, bytes]:
    """The input of a number: the same on every machine."""
    random = Random(int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:8], "big"))
    every = forms()
    form = random.choice(every)
    others = tuple(one.seeds[0] for one in every)
    return form, damaged(random.choice(form.seeds), random, others)


def judged(seed: int, number: int, folder: Path, limit_s: float) -> Finding | None:
    """Read one input.

    Parameters
    ----------
    seed, number : int
    folder : path
        Where it is written to be read.
    limit_s : float
        Seconds that it may take.
    """
    form, data = damaged_input(seed, number)
    what = _outcome(form, data, folder, limit_s)
    return None if what is None else Finding(form.name, number, what, data)


def _outcome(form: Form, data: bytes, folder: Path, limit_s: float) -> str | None:
    path = folder / "input"
    given = data.decode("utf-8", "surrogateescape") if form.text else str(path)
    if not form.text:
        path.write_bytes(data)
    signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        form.read(given)
    except InputError as error:
        message = str(error)
        if "\n" in message or not message.isprintable():
            return f"a message that is not one printable line: {message!r}"
        return f"a message of {len(message):,} characters" if len(message) > LONGEST + len(given) else None
    except TooLong:
        return f"longer than {limit_s:g} s"
    except MemoryError:
        return "more memory than there is"
    except Exception as error:
        # What the command line turns into a usage error is a refusal too.
        if type(error).__name__ == "BadParameter":
            return None
        return "".join(traceback.format_exception(error))[-2000:]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None
