"""Designs side by side, as `compare` is asked for them."""

from typing import TYPE_CHECKING

from fabric.commands.options import CompareOutput, DesignOptions, FabricsOptions, HashOptions, PlacementOptions
from fabric.commands.resolve import ecmp_of, opened, refuse_given, usage, version_of
from fabric.commands.terminal import working
from fabric.commands.values import axes

if TYPE_CHECKING:
    from fabric.jobs.requests import Request
    from fabric.jobs.rule import PlacementRule
    from fabric.reports.emit import Report


def side_by_side(
    fabrics: FabricsOptions,
    designs: DesignOptions,
    asked: "Request",
    rule: "PlacementRule",
    job: PlacementOptions,
    hashing: HashOptions,
    output: CompareOutput,
    threads: int | None,
    library: str,
) -> "Report":
    """Run the job on every design that is meant; options that none of them looks at are refused."""
    varied = axes(designs.vary or ())
    for key, option, value in (
        ("wiring", "--wiring", fabrics.wiring),
        ("fabric.wiring", "--wiring", fabrics.wiring),
        ("placement", "--placement", job.placement),
        ("queue_pairs", "--queue-pairs", hashing.queue_pairs),
        ("seed", "--seed", hashing.seed),
    ):
        if key in varied and value is not None:
            usage(f"expected {option} or --vary {key}, not both")

    from fabric.jobs.requests import Collective
    from fabric.reports.designs import designs_report
    from fabric.reports.files import check_outputs, compare_figure_path
    from fabric.scenario import Scenario
    from fabric.studies.designs import compare_designs, vary
    from fabric.studies.prices import read_prices

    picture = None if output.no_figure else compare_figure_path(output.figure, "designs", asked)
    check_outputs(picture, (output.html, output.csv), output.force)
    prices = None if designs.prices is None else read_prices(designs.prices)
    with working("designs"):
        given = [opened(one) for one in fabrics.each()]
        if isinstance(asked, Collective):
            asked = asked.usually_grouped(given, rule)
        scenarios = [
            Scenario.of(one, asked, rule=rule, library=library, nccl_version=version_of(hashing), n_threads=threads)
            for one in given
        ]
        variants = vary(scenarios, varied, ecmp_of(hashing))
        if all(one.scenario.routing.name != "ecmp" for one in variants):
            drawn = any(one.scenario.job.rule.drawn for one in variants)
            refuse_given(hashing, "no design hashes; --vary routing=ecmp does", *(("seed",) if drawn else ()))
        return designs_report(compare_designs(variants, prices), prices, picture, output.csv)
