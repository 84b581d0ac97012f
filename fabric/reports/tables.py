"""Results as people and programs read them: tables, TSV, one JSON document, a CSV row per link."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from fabric.routing.link_loads import LinkLoads
from fabric.studies.hotspots import Hotspot, TierSummary
from fabric.topology import DIRECTIONS, LINK_KINDS, UNKNOWN

LINK_COLUMNS = "tail,tail_port,head,head_port,kind,tier,direction,rail,plane,capacity_gbps,bytes"


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; columns in `right` are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()


def print_tables(tables: Iterable[Table], notes: Iterable[str] = ()) -> None:
    """Rich tables on a terminal; TSV into a pipe, where wrapping would cut names."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table as RichTable

        console = Console()
        for table in tables:
            if not table.rows:
                console.print(table.title, markup=False, highlight=False)
                continue
            drawn = RichTable(title=table.title, title_justify="left")
            for column in table.columns:
                drawn.add_column(column, justify="right" if column in table.right else "left", overflow="fold")
            for row in table.rows:
                drawn.add_row(*row)
            console.print(drawn)
        for note in notes:
            console.print(note, markup=False, highlight=False)
        return
    for table in tables:
        print(f"# {table.title}")
        if table.rows:
            print("\t".join(table.columns))
        for row in table.rows:
            print("\t".join(row))
        print()
    for note in notes:
        print(f"# {note}")


def print_json(document: dict[str, object]) -> None:
    """One document on standard output; NaN and infinity never occur in it."""
    print(json.dumps(document, indent=2, allow_nan=False))


def seconds_text(value: float) -> str:
    """A time with the unit that suits it, four digits."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{value * factor:.4g} {unit}"
    return f"{value * 1e9:.4g} ns" if value > 0 else "0"


def bytes_text(value: float) -> str:
    """Bytes in decimal units, four digits."""
    for factor, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value:.4g} B"


def number_text(value: float | None, digits: str = ".3g") -> str:
    return "-" if value is None else format(value, digits)


def tier_table(tiers: tuple[TierSummary, ...], threshold: float) -> Table:
    """A row per tier and direction."""
    rows = tuple(
        (
            tier.name,
            tier.direction,
            f"{tier.links:,}",
            f"{tier.used:,}",
            bytes_text(tier.bytes),
            seconds_text(tier.max_s),
            seconds_text(tier.mean_s),
            seconds_text(tier.p99_s),
            number_text(tier.imbalance, ".3f"),
            f"{tier.hot_share:.1%}",
        )
        for tier in tiers
    )
    columns = ("tier", "direction", "links", "used", "bytes", "max", "mean", "p99", "max/mean", f">{threshold:g}x mean")
    return Table("Links by tier and direction (load / capacity)", columns, rows, frozenset(columns[2:]))


def hotspot_table(hot: tuple[Hotspot, ...], total: int, threshold: float) -> Table:
    """The ranked list."""
    rows = tuple(
        (
            str(rank),
            spot.name,
            spot.tier,
            spot.direction,
            bytes_text(spot.bytes),
            f"{spot.capacity_gbps:g}",
            seconds_text(spot.seconds),
            f"{spot.over_mean:.2f}",
            f"{spot.of_busiest:.1%}",
        )
        for rank, spot in enumerate(hot, 1)
    )
    columns = ("#", "link", "tier", "direction", "bytes", "Gb/s", "load/capacity", "x mean", "of busiest")
    more = f", the first {len(hot)} of {total:,}" if total > len(hot) else ""
    title = f"Hotspots: links above {threshold:g}x the mean of their tier and direction{more}"
    return Table(title if total else f"{title}: none", columns, rows, frozenset({"#", *columns[4:]}))


def hotspot_document(spot: Hotspot) -> dict[str, object]:
    """A hotspot for JSON."""
    return asdict(spot)


def links_csv(loads: LinkLoads) -> str:
    """One row per directed link, columns `LINK_COLUMNS`; unknown values are empty."""
    topology = loads.topology
    nodes = topology.nodes
    names = nodes.name
    plane, rail = nodes.plane.tolist(), nodes.rail.tolist()

    def known(*values: int) -> str:
        return next((str(value) for value in values if value != UNKNOWN), "")

    rows = [LINK_COLUMNS]
    columns = zip(
        topology.link_tail.tolist(),
        topology.link_tail_port.tolist(),
        topology.link_head.tolist(),
        topology.link_head_port.tolist(),
        topology.link_kind.tolist(),
        topology.link_tier.tolist(),
        topology.link_direction.tolist(),
        topology.link_capacity_gbps.tolist(),
        loads.bytes.tolist(),
        strict=True,
    )
    for tail, tail_port, head, head_port, kind, tier, direction, gbps, carried in columns:
        rows.append(
            f"{csv_field(names[tail])},{known(tail_port)},{csv_field(names[head])},{known(head_port)},"
            f"{LINK_KINDS[kind]},{tier},{DIRECTIONS[direction]},"
            f"{known(rail[tail], rail[head])},{known(plane[tail], plane[head])},{gbps!r},{carried!r}"
        )
    return "\n".join(rows) + "\n"


def csv_field(text: str) -> str:
    """A CSV field, quoted where it must be (RFC 4180)."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
