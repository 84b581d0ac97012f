"""The report of `counters`: what links carried, beside what was predicted, and the cables that are suspect."""

from pathlib import Path

import numpy as np

from collectives.demand import FloatVector
from collectives.sizes import counted
from fabric.reports.csv_text import csv_text
from fabric.reports.documents.counters import CountersBody, LateRankPart, PortGroupPart, ReasonPart, SuspectPart
from fabric.reports.emit import Report
from fabric.reports.figures.counters import counters_figure
from fabric.reports.links import GUID_COLUMNS, guids_and_lids, ports_of, tier_text
from fabric.reports.loads import fabric_facts, routing_facts, routing_text, sent_facts
from fabric.reports.tables import Facts, Table
from fabric.reports.words import bytes_text, number_text, seconds_text
from fabric.studies.counters import CounterStudy, LateCable
from fabric.studies.port_groups import leaf_shares, port_groups
from fabric.studies.suspects import Reason, Suspect
from fabric.studies.verdicts.counters import counters_verdict
from fabric.topology import DIRECTIONS, LINK_KINDS, NVLINK
from traces.late_ranks import LateRank

_COLUMNS = (
    "tail",
    "tail_port",
    "head",
    "head_port",
    "kind",
    "tier",
    "direction",
    "capacity_gbps",
    "sent_bytes",
    "received_bytes",
    "gbps",
    "utilization",
    "predicted_bytes",
    "residual",
    "xmit_wait",
    "wait_gbps",
)
# Names of ports in a cell, at most.
_SHOWN = 3


def counters_csv(study: CounterStudy) -> str:
    """A row per link of the network; what is not known is empty.  Error counters are those of the tail's port."""
    topology, measured = study.topology, study.measured
    links = np.flatnonzero(topology.link_kind != NVLINK)
    names = topology.nodes.name
    numbers: list[FloatVector | None] = [
        measured.sent,
        measured.received,
        measured.gbps,
        measured.utilization,
        study.predicted,
        study.residual,
        measured.wait_ticks,
        measured.wait_gbps,
        *measured.errors.values(),
    ]
    ends = (topology.link_tail[links], topology.link_head[links])
    guids = [column for end in ends for column in guids_and_lids(topology, end)]
    columns = [
        [names[node] for node in topology.link_tail[links]],
        [*ports_of(topology, ends[0], topology.link_tail_port[links])],
        [names[node] for node in topology.link_head[links]],
        [*ports_of(topology, ends[1], topology.link_head_port[links])],
        [LINK_KINDS[kind] for kind in topology.link_kind[links]],
        topology.link_tier[links].tolist(),
        [DIRECTIONS[direction] for direction in topology.link_direction[links]],
        topology.link_capacity_gbps[links].tolist(),
        *guids,
        *(
            [""] * links.size if one is None else ["" if np.isnan(value) else value for value in one[links].tolist()]
            for one in numbers
        ),
    ]
    titles = (*_COLUMNS[:8], *(GUID_COLUMNS if guids else ()), *_COLUMNS[8:], *measured.errors)
    return csv_text(titles, zip(*columns, strict=True))


def counters_document(study: CounterStudy, figure: Path | None, assumptions: tuple[str, ...]) -> CountersBody:
    """Everything for JSON."""
    measured, scenario, topology = study.measured, study.scenario, study.topology
    same, both = measured.agreeing_cables
    return {
        "schema": "railscope.counters/1",
        "fabric": fabric_facts(study.fabric),
        "source": measured.source,
        "traffic": None if scenario is None else sent_facts(scenario),
        "routing": None if scenario is None else routing_facts(scenario.routing),
        "summary": {
            "links": int((topology.link_kind != NVLINK).sum()),
            "known": int(measured.known.sum()),
            "total_bytes": float(measured.bytes[measured.known].sum()),
            "interval_s": measured.interval_s,
            "found_by": measured.ports.by,
            "unmatched": measured.ports.unmatched,
            "cables_at_both_ends": both,
            "agreeing_cables": same,
            "resets": list(measured.resets),
            "wraps": list(measured.wraps),
            "cleared": list(measured.cleared),
            "at_end": list(measured.at_end),
            "scale": study.scale,
            "explained": study.explained,
        },
        "tiers": list(study.tiers),
        "suspects": [_suspect_part(study, one) for one in study.suspects],
        "groups": [
            PortGroupPart(
                endpoints=[topology.endpoint_names[number] for number in group.endpoints],
                bytes=group.bytes,
                hosts=group.hosts,
                rails=list(group.rails),
                suggests=group.suggests,
            )
            for group in port_groups(measured)
        ],
        "leaves": list(leaf_shares(measured)),
        "late_ranks": [_late_part(study, one) for one in study.late],
        "figure": None if figure is None else str(figure),
        "assumptions": list(assumptions),
    }


def _late_part(study: CounterStudy, late: LateRank) -> LateRankPart:
    found = next((one for one in study.late_cables if one.late is late), None)
    name = study.topology.link_name
    return {
        "rank": late.rank,
        "operations": late.operations,
        "last": late.last,
        "waited_s": late.waited_s,
        "behind": late.behind,
        "straggler": late.straggler,
        "endpoint": None if found is None else study.topology.endpoint_names[found.endpoint],
        "cables": [] if found is None else [name(link) for link in found.links],
        "reasons": [] if found is None else [_reason_part(study, reason) for reason in found.reasons],
    }


def _reason_part(study: CounterStudy, reason: Reason) -> ReasonPart:
    link = study.topology.link_name(reason.link)
    return {"kind": reason.kind, "link": link, "text": reason.text, "weight": reason.weight}


def _suspect_part(study: CounterStudy, suspect: Suspect) -> SuspectPart:
    name = study.topology.link_name
    return {
        "link": name(suspect.link),
        "weight": suspect.weight,
        "bytes": suspect.bytes,
        "expected_bytes": suspect.expected,
        "twin": None if suspect.twin is None else name(suspect.twin),
        "reasons": [_reason_part(study, reason) for reason in suspect.reasons],
    }


def _facts(study: CounterStudy) -> Facts:
    measured = study.measured
    same, both = measured.agreeing_cables
    found = ", ".join(f"{number:,} by {how}" for how, number in measured.ports.by.items())
    network = int((study.topology.link_kind != NVLINK).sum())
    rows = [
        ("fabric", f"{study.fabric.name}: {counted(study.topology.n_endpoints, 'endpoint')}"),
        ("counters", measured.source),
        ("ports found", found),
        *_not_in_the_fabric(study),
        ("links", f"{int(measured.known.sum()):,} of {network:,} known"),
        ("both ends agree", f"{same:,} of {counted(both, 'cable')}" if both else "no cable is known at both ends"),
        ("interval", "not known" if measured.interval_s is None else seconds_text(measured.interval_s)),
        ("carried, all links", bytes_text(float(measured.bytes[measured.known].sum()))),
    ]
    for what, ports in (
        ("reset, left out", measured.resets),
        ("wrapped at 32 bits", measured.wraps),
        ("errors cleared", measured.cleared),
        ("at end of range", measured.at_end),
    ):
        if ports:
            more = f" and {len(ports) - _SHOWN:,} more" if len(ports) > _SHOWN else ""
            rows.append((what, f"{counted(len(ports), 'port')}: {', '.join(ports[:_SHOWN])}{more}"))
    if study.scenario is not None and study.scale is not None:
        rows += [
            ("traffic", study.scenario.traffic.label),
            ("routing", routing_text(study.scenario.routing)),
            ("ran", f"{study.scale:.4g} times, by least squares"),
            ("explained", f"{study.explained:.1%}" if study.explained is not None else "-"),
        ]
    return Facts("What ports counted", tuple(rows))


def _not_in_the_fabric(study: CounterStudy) -> list[tuple[str, str]]:
    """Ports with data that have no cable in the fabric, and their share."""
    ports = study.measured.ports
    if not ports.unmatched:
        return []
    share = ports.unmatched / (ports.unmatched + ports.matched)
    text = f"{counted(ports.unmatched, 'port')} with data ({share:.0%}), such as {ports.examples[0]}"
    return [("not in the fabric", text)]


def _tier_table(study: CounterStudy) -> Table:
    columns = ("tier", "known", "bytes", "predicted", "off by", "utilization", "busiest", "waited for Gb/s")
    rows = tuple(
        (
            tier_text(tier.name, tier.direction) if tier.direction else tier.name,
            f"{tier.known:,} of {tier.links:,}",
            bytes_text(tier.bytes),
            "" if tier.predicted_bytes is None else bytes_text(tier.predicted_bytes),
            "" if tier.residual is None else f"{tier.residual:.1%}",
            "" if tier.utilization is None else f"{tier.utilization:.1%}",
            "" if tier.busiest is None else f"{tier.busiest:.1%}",
            "" if tier.wait_gbps is None else number_text(tier.wait_gbps),
        )
        for tier in study.tiers
    )
    title = "Links by tier and direction"
    if study.predicted is not None:
        title += " (off by: median of what a link differs from the prediction)"
    return Table(title, columns, rows, frozenset(columns[1:]), drop=("known", "busiest"))


def _suspect_table(study: CounterStudy, top: int) -> Table:
    columns = ("#", "cable", "carried", "expected", "why")
    rows: list[tuple[str, ...]] = []
    for rank, suspect in enumerate(study.suspects[:top], 1):
        for place, reason in enumerate(suspect.reasons):
            whose = "" if reason.link == suspect.link else "the other way: "
            first = (
                str(rank),
                study.topology.link_name(suspect.link),
                "-" if suspect.bytes is None else bytes_text(suspect.bytes),
                "-" if suspect.expected is None else bytes_text(suspect.expected),
            )
            rows.append((*(first if place == 0 else ("",) * 4), whose + reason.text))
    title = "Suspect cables, the most suspect first"
    if not study.suspects:
        title = "Suspect cables: none"
    elif len(study.suspects) > top:
        title += f", {top:,} of {len(study.suspects):,}"
    return Table(title, columns, tuple(rows), frozenset({"#", "carried", "expected"}), below=("why",),
                 shorten=frozenset({"cable"}))  # fmt: skip


def _group_table(study: CounterStudy, top: int) -> Table:
    groups = port_groups(study.measured)
    columns = ("NICs", "sent each", "hosts", "suggests", "such as")
    rows = tuple(
        (
            f"{len(group.endpoints):,}",
            bytes_text(group.bytes),
            f"{group.hosts:,}",
            group.suggests,
            group.example,
        )
        for group in groups[:top]
    )
    title = "NICs that sent the same" + (f", {top:,} of {len(groups):,} groups" if len(groups) > top else "")
    return Table(title, columns, rows, frozenset(columns[:3]), shorten=frozenset({"such as"}))


def _leaf_table(study: CounterStudy, top: int) -> Table:
    shares = leaf_shares(study.measured)
    columns = ("leaf", "from its hosts", "up", "part")
    rows = tuple(
        (one.leaf, bytes_text(one.from_hosts_bytes), bytes_text(one.up_bytes), f"{one.share:.1%}")
        for one in shares[:top]
    )
    title = "Who talks across spines" + (f", {top:,} of {len(shares):,} leaves" if len(shares) > top else "")
    return Table(title, columns, rows, frozenset(columns[1:]), shorten=frozenset({"leaf"}))


def _late_table(study: CounterStudy, top: int) -> Table:
    columns = ("rank", "on", "collectives", "came last", "others waited", "behind", "its cable")
    cables = {one.late.rank: one for one in study.late_cables}
    rows = tuple(
        (
            f"{one.rank}",
            study.topology.endpoint_names[cables[one.rank].endpoint] if one.rank in cables else "-",
            f"{one.operations:,}",
            f"{one.last:,}",
            seconds_text(one.waited_s),
            f"{one.behind:,}" if one.behind else "",
            _cable_text(study, cables[one.rank]) if one.rank in cables else "",
        )
        for one in study.late[:top]
    )
    title = "Ranks that others wait for" + (f", {top:,} of {len(study.late):,}" if len(study.late) > top else "")
    return Table(title, columns, rows, frozenset({"rank", *columns[2:-1]}), shorten=frozenset({"on"}),
                 below=("its cable",))  # fmt: skip


def _cable_text(study: CounterStudy, one: LateCable) -> str:
    name = study.topology.link_name
    said = "; ".join(reason.text for reason in one.reasons) or "nothing speaks against it"
    return f"{', '.join(map(name, one.links))}: {said}"


def counters_report(study: CounterStudy, top: int = 10, figure: Path | None = None, csv: Path | None = None) -> Report:
    """What `counters` has to say, with the files that are asked for."""
    files: dict[str, str | bytes] = {}
    if figure is not None:
        title = f"{study.fabric.name}: what links carried"
        title += " and the prediction" if study.predicted is not None else " and their siblings"
        files[str(figure)] = counters_figure(study, title, figure.suffix)
    if csv is not None:
        files[str(csv)] = counters_csv(study)
    tables: list[Table | Facts] = [_facts(study), _tier_table(study), _suspect_table(study, top)]
    if study.late:
        tables.append(_late_table(study, top))
    if study.scenario is None:
        tables += [table for table in (_group_table(study, top), _leaf_table(study, top)) if table.rows]
    return Report(
        counters_document(study, figure, study.assumptions),
        tables,
        counters_verdict(study),
        assumptions=study.assumptions,
        files=files,
    )
