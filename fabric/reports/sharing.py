"""The report of several jobs on one fabric: who slows whom, and on which links."""

from fabric.reports.documents.sharing import SharingBody
from fabric.reports.emit import Report
from fabric.reports.gates import Headline
from fabric.reports.loads import fabric_facts
from fabric.reports.tables import Table
from fabric.reports.words import ratio_text, seconds_text
from fabric.studies.sharing import Shared, Sharing
from fabric.studies.verdicts.sharing import sharing_verdict


def sharing_document(sharing: Sharing) -> SharingBody:
    """Everything for JSON."""
    return {
        "schema": "railscope.jobs/1",
        "fabric": fabric_facts(sharing.fabric),
        "routings": [
            {
                "routing": one.routing,
                "jobs": [
                    {
                        "name": job.name,
                        "workload": job.workload,
                        "gpus": job.gpus,
                        "alone_s": job.alone_s,
                        "usual_s": job.usual_s,
                        "worst_s": job.worst_s,
                        "bottleneck_s": job.bottleneck_s,
                        "slowdown": job.slowdown,
                    }
                    for job in one.jobs
                ],
                "links": [
                    {
                        "link": link.link,
                        "tier": link.tier,
                        "utilization": link.utilization,
                        "shares": list(link.shares),
                    }
                    for link in one.links
                ],
                "shared_links": one.n_shared,
                "fairness": one.fairness,
                "victim": one.victim.name,
            }
            for one in sharing.routings
        ],
        "assumptions": list(sharing.assumptions),
    }


def _jobs_table(sharing: Sharing) -> Table:
    columns = ("job", "routing", "GPUs", "alone", "usual", "at worst", "slowdown", "by bottleneck")
    rows = tuple(
        (
            job.name,
            one.routing,
            f"{job.gpus:,}",
            seconds_text(job.alone_s),
            seconds_text(job.usual_s),
            seconds_text(job.worst_s),
            ratio_text(job.slowdown),
            seconds_text(job.bottleneck_s),
        )
        for one in sharing.routings
        for job in one.jobs
    )
    title = f"Steps of {len(sharing.routings[0].jobs)} jobs on {sharing.fabric.name}"
    return Table(title, columns, rows, frozenset(columns[2:]), shorten=frozenset({"job"}), drop=("by bottleneck",))


def _links_table(one: Shared) -> Table:
    names = tuple(job.name for job in one.jobs)
    columns = ("link", "tier", "used", *names)
    rows = tuple(
        (link.link, link.tier, f"{link.utilization:.1%}", *(f"{share:.1%}" for share in link.shares))
        for link in one.links
    )
    what = "Busiest links that jobs share" if one.n_shared else "Busiest links, none of them shared"
    return Table(f"{what}, {one.routing}", columns, rows, frozenset(columns[2:]), shorten=frozenset({"link"}))


def sharing_report(sharing: Sharing) -> Report:
    """What `step` has to say of several jobs."""
    fair = [f"{one.routing} {one.fairness:.3f}" for one in sharing.routings]
    return Report(
        sharing_document(sharing),
        [_jobs_table(sharing), *map(_links_table, sharing.routings)],
        sharing_verdict(sharing),
        notes=[
            f"fairness (Jain's index of speeds): {', '.join(fair)}",
            "usual: others communicate as much of the time as their steps do; at worst: all always at once",
        ],
        assumptions=sharing.assumptions,
        headlines=[Headline(f"{job.name} {one.routing}", job.worst_s) for one in sharing.routings for job in one.jobs],
    )
