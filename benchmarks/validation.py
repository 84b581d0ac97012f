"""Predictions with defaults alone beside every published measurement that `points.csv` holds.

python -m benchmarks.validation [--rows] [--figure validation.png] [points.csv]

A row's machine, shape, size and NIC speed are its own; nothing else is.  The ratio is that of bandwidths, predicted
over measured, for every collective: 1.2 is 20 % too fast.
"""

import argparse
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.points import GIB, MIB, POINTS, Point, read_points

# What libraries do with rings and trees, in one group.
RINGS_AND_TREES = ("all_reduce", "all_gather", "reduce_scatter", "broadcast")


def quantile(values: Iterable[float], part: float) -> float:
    """The value that this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def size_class(point: Point) -> str:
    """Three classes of sizes."""
    return "1 GiB and more" if point.size >= GIB else "1 MiB to 1 GiB" if point.size >= MIB else "below 1 MiB"


def domains_class(point: Point) -> str:
    """Hosts or racks, in four classes."""
    limits = ((1, "1 domain"), (2, "2 domains"), (16, "3 to 16 domains"))
    return next((name for most, name in limits if point.n_domains <= most), "more domains")


def table(points: Sequence[Point], title: str, label: Callable[[Point], str]) -> list[str]:
    """Median, 90th percentile and worst ratio, and how many measurements are in the range, by a label."""
    groups: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        groups[label(point)].append(point)
    lines = [f"{title:36} rows  median    90 %  worst  inside  width"]
    for name, own in sorted(groups.items()):
        off = [point.off for point in own]
        worst = max(own, key=lambda point: point.off).ratio
        inside = sum(point.inside for point in own) / len(own)
        width = statistics.median(point.width for point in own)
        lines.append(
            f"{name[:36]:36} {len(own):4} {statistics.median(off):7.0%} {quantile(off, 0.9):7.0%} {worst:6.2f} "
            f"{inside:7.0%} {width:6.0%}"
        )
    return [*lines, ""]


def summary(points: Sequence[Point], refused: Counter[str]) -> list[str]:
    """All tables."""
    unseen = [point for point in points if not point.fitted]
    tuned = [point for point in unseen if not point.as_found]
    found = [point for point in unseen if point.as_found]
    fitted = [point for point in points if point.fitted]
    ours = [point for point in tuned if not point.row["collective"].startswith("moe")]
    lines = [
        f"{len(points):,} of {len(points) + sum(refused.values()):,} measurements are predicted, with defaults alone;",
        f"to {len(fitted)} of them something was fitted. Ratio: of bandwidths, predicted over measured.",
        "Median, 90 %: how far it is from 1, either way. Inside: in the range, with 5 % slack.",
    ]
    for what, own in (("well-tuned clusters, collectives", ours), ("all that nothing was fitted to", unseen)):
        if own:
            inside = sum(point.inside for point in own) / len(own)
            width = statistics.median(point.width for point in own)
            lines.append(f"{what}: {len(own)} rows, {inside:.0%} inside the range, {width:.0%} wide at the median")
    pooled = [point for point in tuned if point.row["collective"] in RINGS_AND_TREES and point.size >= MIB]
    return [
        *lines,
        "",
        *table(pooled, "well-tuned, all-reduce to broadcast", size_class),
        *table(tuned, "well-tuned, collective and size", lambda one: f"{one.row['collective']}, {size_class(one)}"),
        *table(tuned, "well-tuned, machine", lambda one: one.row["gpu"]),
        *table(tuned, "well-tuned, scale", domains_class),
        *table(found, "as found, machine", lambda one: f"{one.row['gpu']}, {one.row['collective']}"),
        *table(fitted, "fitted, by what was fitted", lambda one: one.fitted),
        "not predicted",
        *(f"{count:5}  {reason}" for reason, count in refused.most_common()),
    ]


def each_row(points: Sequence[Point]) -> list[str]:
    """A line for every row, the worst first."""
    lines = ["ratio   measured       range        size  what"]
    for one in sorted(points, key=lambda one: -one.off):
        row = one.row
        mark = "fitted, " if one.fitted else "as found, " if one.as_found else ""
        lines.append(
            f"{one.ratio:5.2f} {one.measured_GBps:10.4g} {one.low_GBps:7.4g}-{one.predicted_GBps:<7.4g} "
            f"{one.size / MIB:8.4g}M  {mark}{row['collective']} {row['n_gpus']} x {row['gpu']}, {row['fabric'][:30]}, "
            f"{row['algorithm_or_env'][:24]}"
        )
    return lines


def draw(points: Sequence[Point], path: Path) -> None:
    """Predicted ranges over measured bandwidths: what was fitted, well-tuned, and as found."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    kinds = (
        ("well-tuned", "#1f6fb4", [one for one in points if not one.fitted and not one.as_found]),
        ("as found", "#c44e00", [one for one in points if not one.fitted and one.as_found]),
        ("fitted to", "#8a8a8a", [one for one in points if one.fitted]),
    )
    classes = (("1 GiB and more", GIB, math.inf), ("1 MiB to 1 GiB", MIB, GIB))
    for axes, (title, least, most) in zip(panels, classes, strict=True):
        ends = [math.inf, 0.0]
        for name, colour, every in kinds:
            own = [one for one in every if least <= one.size < most]
            x = [one.measured_GBps for one in own]
            low, high = [one.low_GBps for one in own], [one.predicted_GBps for one in own]
            axes.vlines(x, low, high, color=colour, alpha=0.35, linewidth=1.5)
            axes.plot(x, high, linestyle="", marker="o", markersize=3, color=colour, label=f"{name} ({len(own)})")
            ends = [min([ends[0], *x, *low]), max([ends[1], *x, *high])]
        axes.plot(ends, ends, color="black", linewidth=0.8)
        axes.set(xscale="log", yscale="log", title=title, xlabel="measured busbw [GB/s]")
        axes.legend(fontsize=8, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("predicted busbw [GB/s]: dot tuned, line to as found")
    figure.savefig(path, dpi=110, metadata={"Software": None} if path.suffix == ".png" else None)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", nargs="?", type=Path, default=POINTS)
    parser.add_argument("--rows", action="store_true", help="every row too, the worst first")
    parser.add_argument("--figure", type=Path, help="draw predicted over measured")
    given = parser.parse_args()
    if given.points == POINTS and not POINTS.is_file():
        print(f"validation: left out, the published measurements are not here ({POINTS.parent.name}/{POINTS.name})")
        return
    if not given.points.is_file():
        sys.exit(f"{given.points}: no such file; expected published measurements, a CSV file with a row a point")
    points, refused = read_points(given.points)
    print("\n".join([*summary(points, refused), *(["", *each_row(points)] if given.rows else [])]))
    if given.figure is not None:
        draw(points, given.figure)


if __name__ == "__main__":
    main()
