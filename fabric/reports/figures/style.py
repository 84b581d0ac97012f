"""How every figure looks, and how it becomes the bytes of a file."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collectives.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

# A page of text in a browser is about 880 pixels wide.
WIDTH_IN, DPI = 8.8, 100

INK, QUIET, PALE = "#1f2430", "#6b7280", "#eef0f3"

# No colour of cividis (blue, grey, yellow): where a cable should be and is not.
MISSING = "#e4572e"

# The first six after Okabe and Ito (2008), told apart with any colour vision; their yellow and red would be a map's.
SERIES = (
    "#4a4f5a", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7b4fb5", "#8c564b", "#8a9a00", "#00a3ad",
)  # fmt: skip

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "railscope",
    # Names are names: a dollar in one begins no formula.
    "text.parse_math": False,
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": "#d9dce1",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.4,
}
_DATES: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
_WRITING: dict[str, dict[str, Any]] = {".png": {"pil_kwargs": {"optimize": True}}}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save within this: the house's style, whatever the user's own settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        with warnings.catch_warnings():
            # Of letters that no installed font has a box is drawn.
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
            yield


def blank(height_in: float, title: str, subtitle: str = "", width_in: float = WIDTH_IN) -> "Figure":
    """An empty figure under its title; nothing of it is global, and it needs no screen."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    top = 0.47 if subtitle else 0.28
    height = height_in + top
    figure = Figure(figsize=(width_in, height))
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - top / height)))
    place: dict[str, Any] = {"x": 0.08 / width_in, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.08 / height, s=title, fontsize=10.0, fontweight="bold", **place)
    figure.text(y=1 - 0.28 / height, s=subtitle, fontsize=8.5, color=QUIET, **place)
    return figure


def saved(figure: "Figure", suffix: str) -> bytes:
    """The file's contents, without a date in them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=_DATES.get(suffix, {}), **_WRITING.get(suffix, {}))
    return buffer.getvalue()


def drawn(draw: "Callable[[], Figure]", suffix: str) -> bytes:
    """Draw a figure in the house's style, as the contents of a file with the ending `suffix`.

    Raises
    ------
    InputError
        A suffix that is not one of `FORMATS`; nothing is drawn then.
    """
    check_format(f"figure{suffix}")
    with styled():
        return saved(draw(), suffix)


def open_frame(axes: "Axes") -> None:
    """Axes of a curve: two sides of the frame, and a grid to read values from."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True)


def time_unit(largest_s: float) -> tuple[str, float]:
    """The unit that suits a largest time, and how many of it are a second."""
    return next(
        ((unit, factor) for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)) if largest_s * factor >= 1),
        ("s", 1.0) if largest_s == 0 else ("ns", 1e9),
    )


def shortened(names: Sequence[str], length: int) -> list[str]:
    """Names of at most `length` characters: what all share is left out, then the middle of what is still too long."""
    if max(map(len, names), default=0) > length:
        names = [f"..{name[_shared_start(names) :]}" for name in names] if _shared_start(names) > 2 else names
        backwards = [name[::-1] for name in names]
        end = _shared_start(backwards)
        names = [f"{name[: len(name) - end]}.." for name in names] if end > 2 else names
    half = length // 2 - 1
    return [name if len(name) <= length else f"{name[:half]}..{name[-half:]}" for name in names]


def _shared_start(names: Sequence[str]) -> int:
    """How many letters all names begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def colours_of(names: Sequence[str], fixed: dict[str, str]) -> dict[str, str]:
    """A colour for each name: its own where `fixed` has one, else the first that is free."""
    taken = {fixed[name] for name in names if name in fixed}
    free = cycle([colour for colour in SERIES if colour not in taken] or SERIES)
    return {name: fixed[name] if name in fixed else next(free) for name in dict.fromkeys(names)}


def check_format(path: str | Path) -> None:
    """Refuse a figure's path whose ending is not in `FORMATS`.

    Raises
    ------
    InputError
        Names the path and the endings.
    """
    if Path(path).suffix not in FORMATS:
        raise InputError(f"{path}: expected a figure's name that ends in {', '.join(FORMATS)}")
