"""The command `explain`: whose bytes are on a link."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fabric.commands.grouping import OptionGroup
from fabric.commands.jobs import JobsFile, OtherJobs, job_of, jobs_of_file
from fabric.commands.options import (
    FabricOptions,
    Force,
    HashOptions,
    Html,
    Json,
    PlacementOptions,
    RoutingOptions,
    SendingOptions,
    SkipUnrouted,
    Threads,
    TrafficOptions,
    Verbose,
)
from fabric.commands.resolve import (
    asked_scenario,
    check_traffic,
    draws,
    lfts_of,
    opened,
    policy_name,
    refuse_given,
    request_of,
    routing_of,
    rule_of,
    usage,
)
from fabric.commands.terminal import finish, working

if TYPE_CHECKING:
    from fabric.studies.explain import Sent


@dataclass(frozen=True)
class ExplainOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    html: Html = None
    force: Force = False
    top: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="Busiest links, where none is named.")] = 3


def explain(
    fabric: FabricOptions,
    traffic: TrafficOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    sending: SendingOptions,
    output: ExplainOutput,
    link: Annotated[
        str | None, typer.Argument(metavar="[LINK]", help="As tables show it: 'leaf1 port 33 -> spine2 port 1'.")
    ] = None,
    job_too: OtherJobs = None,
    jobs: JobsFile = None,
    skip_unrouted: SkipUnrouted = False,
    threads: Threads = None,
) -> None:
    """Whose bytes are on a link: jobs, axes, operations, groups, leaves, hosts, pairs of ranks; what is odd about it.

    \b
    Examples:
      railscope explain gb300-2048 --collective all-to-all --routing ecmp
      railscope explain subnet.txt 'leaf1 port 33 -> spine2 port 1' --lfts lfts.dump --collective all-to-all
      railscope explain gb300-2048 --workload deepseek-v3 --gpus 1024 --job b=llama-3.1-405b:512@scattered
    """
    check_traffic(traffic)
    workload = traffic.workload
    if workload is None:
        if job_too or jobs:
            usage("--job, --jobs: of training jobs; expected --workload too")
    else:
        refuse_given(traffic, "--workload says what is sent", "workload")
        refuse_given(sending, "a training job's bytes change rails over NVLink where there is any, on their own NICs")
    policy = policy_name(routed, hashing, seed_used=draws(job))
    rule = rule_of(job, hashing.seed, demand=traffic.demand is not None)
    asked = request_of(traffic) if workload is None else None

    from fabric.reports.explain import explain_report
    from fabric.reports.files import check_outputs
    from fabric.studies.advice.best import what_helps
    from fabric.studies.explain import sent_by, study_links
    from fabric.studies.link_names import find_link

    check_outputs(None, (output.html,), output.force)
    given = opened(fabric)
    links = [] if link is None else [find_link(given.topology, link)]
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted)
    routing = routing_of(policy, hashing, matched[0] if matched else None)
    said: tuple[str, ...]
    sent: tuple[Sent, ...]
    scenario = None
    with working("routing"):
        if workload is not None:
            from fabric.studies.explain_step import sent_in_steps
            from fabric.studies.sharing import JobRequest
            from traces.workload.description import read_workload

            described = read_workload(workload)
            gpus = job.gpus or rule.n_ranks(given)
            first = JobRequest(described.model.name, described, gpus, rule)
            others = [*map(job_of, job_too or ()), *(jobs_of_file(jobs) if jobs is not None else ())]
            sent = sent_in_steps(given, [first, *others], routing, threads)
            said = (*described.model.assumptions, *given.assumptions, "bytes are those of one step of each job")
        else:
            assert asked is not None
            scenario = asked_scenario(given, asked, rule, routing, traffic, hashing, sending, threads)
            sent, said = sent_by(scenario), scenario.assumptions
        explained = study_links(given, sent, links, output.top, said, threads)
        advice = what_helps(scenario) if scenario is not None else None
    finish(explain_report(explained, advice), output)
