"""A step over numbers of GPUs, stacked by cause, with what was published or measured on it."""

from typing import TYPE_CHECKING

from fabric.reports.figures.style import INK, QUIET, SERIES, blank, drawn
from fabric.studies.scale import Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"compute": "#c9ced6", "bubble": "#7d8694", "not explained": "#eef0f3"}
_AXES = ("tp", "cp", "ep", "etp", "pp", "dp", "edp", "emb")


def scale_figure(scale: Scale, suffix: str = ".png") -> bytes:
    """Draw a bar of a step for each number of GPUs: rail-aware, and naive beside it.

    Crosses are published times over the middle number of steps to the target.

    Parameters
    ----------
    scale : Scale
    suffix : str
        One of `style.FORMATS`.

    Returns
    -------
    bytes
        The file's contents; the same input gives the same bytes.

    Raises
    ------
    InputError
        A suffix that is not one of them.
    """
    return drawn(lambda: _figure(scale), suffix)


def _parts(step: object, axes: dict[str, float]) -> None:
    for cost, exposed in zip(step.costs, step.time.exposed_s, strict=True):  # type: ignore[attr-defined]
        axes[cost.operation.axis] = axes.get(cost.operation.axis, 0.0) + exposed


def _figure(scale: Scale) -> "Figure":
    figure = blank(3.4, f"{scale.description.model.name}: a step over GPUs", "by cause; left rail-aware, right naive")
    panel = figure.subplots()
    panel.spines[["top", "right"]].set_visible(False)
    named: set[str] = set()
    given = scale.description.convergence
    highest = 0.0
    for place, row in enumerate(scale.rows):
        naive = row.result.naive
        for step, offset in ((row.result.best, -0.2), *([(naive, 0.2)] if naive is not None else [])):
            by_axis: dict[str, float] = {}
            _parts(step, by_axis)
            stack = [("compute", step.time.compute_s), ("bubble", step.time.bubble_s)]
            stack += [(f"{axis}, exposed", by_axis[axis]) for axis in _AXES if axis in by_axis]
            bottom = 0.0
            for name, value in stack:
                colour = _COLOURS.get(name) or SERIES[1 + _AXES.index(name.split(",")[0])]
                label = "" if name in named else name
                named.add(name)
                panel.bar(place + offset, value, 0.36, bottom=bottom, color=colour, label=label)
                bottom += value
            panel.text(place + offset, bottom, f"{bottom:.3g} s", ha="center", va="bottom", fontsize=7, color=QUIET)
            highest = max(highest, bottom)
        if given is not None and row.published is not None and row.published.minutes:
            each = row.published.minutes * 60 / ((given.steps + given.steps_high) / 2)
            label = "" if "published" in named else "published time over steps, with start and evaluation"
            named.add("published")
            panel.plot([place - 0.2], [each], marker="+", markersize=9, color=INK, linestyle="", label=label)
            highest = max(highest, each)
    for one in scale.judged:
        near = [place for place, row in enumerate(scale.rows) if row.gpus == one.run.gpus]
        if near and one.fitted_on.startswith(one.run.group):
            label = "" if "measured" in named else "measured step"
            named.add("measured")
            panel.plot([near[0] - 0.2], [one.measured_s], marker="x", color=INK, linestyle="", label=label)
            highest = max(highest, one.measured_s)
    panel.set_xticks(range(len(scale.rows)), [f"{row.gpus:,} GPUs" for row in scale.rows])
    panel.set_xlim(-0.6, len(scale.rows) - 0.4)
    panel.set_ylim(0, highest * 1.08)
    panel.set_ylabel("step [s]")
    panel.grid(True, axis="y")
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))
    return figure
