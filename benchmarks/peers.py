"""Times railscope beside its peers on the same fabrics in one run: ``make bench-peers``.

An even-split all-to-all over three tiers of 512 to 8,192 endpoints.  Whoever has loads per link must have railscope's;
who answers another question is marked, and says which.  Each peer runs alone, in a process of its own, and is stopped
after ``--limit`` seconds; it is not asked for more endpoints then.  Times are of the computation, without the reading
of the graph.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import best_of, uniform
from fabric.builders import build, fat_tree
from fabric.jobs.placement import packed
from fabric.routing.link_loads import link_loads
from fabric.topology import Topology

# Pods of a fat tree of 16- or 32-port switches.
SIZES = {512: (16, 8), 1024: (16, 16), 2048: (32, 8), 4096: (32, 16), 8192: (32, 32)}
QUESTION = {
    "igraph": "the same loads",
    "networkx": "the same loads",
    "graph_tool": "hosts to all nodes",
    "networkit": "all pairs of nodes",
    "rustworkx": "all pairs of nodes",
    "ngraph": "what fits; no loads",
}
# Debian's module is built for Debian's Python.
PYTHON = {"graph_tool": "/usr/bin/python3"}
OWN = "railscope"


def fabric_of(size: int) -> Topology:
    """A three-tier Clos network of `size` endpoints."""
    radix, pods = SIZES[size]
    tree = fat_tree(radix)
    hosts = tree.fabric.hosts * pods // radix
    return build(tree.model_copy(update={"fabric": tree.fabric.model_copy(update={"hosts": hosts})}))


def own_seconds(topology: Topology) -> tuple[float, np.ndarray]:
    """Best of five, and the loads."""
    demand, placement = uniform(topology.n_endpoints), packed(topology)
    loads = link_loads(topology, demand, placement).bytes
    return best_of(5, lambda: link_loads(topology, demand, placement)), loads


def peer_seconds(name: str, folder: Path, limit: float, expected: np.ndarray) -> float | str:
    """Seconds of one peer, or why there are none."""
    command = [PYTHON.get(name, sys.executable), str(Path(__file__).with_name("peer_scripts.py")), name]
    answer = folder / f"{name}.npz"
    try:
        run = subprocess.run(
            [*command, str(folder / "fabric.npz"), str(answer)], capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return f"over {limit:g} s"
    except FileNotFoundError:
        return "not installed"
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["stopped"])[-1]
        return "not installed" if "ModuleNotFoundError" in last else last[:40]
    with np.load(answer) as found:
        if "bytes" in found:
            np.testing.assert_allclose(found["bytes"], expected, rtol=1e-9)
        return float(found["seconds"])


def growth(times: dict[int, float]) -> str:
    """Power of the endpoints that the time grows with, between the first and the last size."""
    if len(times) < 2:
        return "-"
    first, last = min(times), max(times)
    return f"{np.log(times[last] / times[first]) / np.log(last / first):.2f}"


def draw(times: dict[str, dict[int, float]], path: Path) -> None:
    """Seconds over endpoints, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained", dpi=120)
    axes = figure.subplots()
    colours = ("#003f5c", "#ffa600", "#bc5090", "#58508d", "#ff6361", "#7a7a7a", "#3b8f5a")
    for colour, marker, (name, own) in zip(colours, "osv^DPX", times.items(), strict=True):
        if own:
            same = name == OWN or QUESTION[name] == "the same loads"
            axes.plot(list(own), list(own.values()), color=colour, marker=marker, ls="-" if same else "--", lw=1.5)
            # networkit and rustworkx end close together.
            beside = (8, {"networkit": 4, "rustworkx": -4}.get(name, 0))
            axes.annotate(name.replace("_", "-"), (max(own), own[max(own)]), beside, textcoords="offset points",
                          color=colour, va="center", fontsize=9)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="endpoints", ylabel="seconds", xlim=(450, 16000))
    axes.set_xticks(list(SIZES), [f"{size:,}" for size in SIZES])
    axes.minorticks_off()
    axes.set_title("Even-split all-to-all: loads of every link (dashed: another question)", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Print a row for each size and peer; write the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=100.0, help="seconds for a peer and a size")
    parser.add_argument("--figure", type=Path, help="PNG of seconds over endpoints")
    parser.add_argument("--largest", type=int, default=max(SIZES), help="no more endpoints than this")
    asked = parser.parse_args()
    times: dict[str, dict[int, float]] = {name: {} for name in (OWN, *QUESTION)}
    stopped: dict[str, str] = {}
    print(f"{'endpoints':>9} {'peer':11} {'seconds':>9} {'ratio':>9}  answers")
    for size in (one for one in SIZES if one <= asked.largest):
        topology = fabric_of(size)
        assert topology.n_endpoints == size
        own, loads = own_seconds(topology)
        times[OWN][size] = own
        print(f"{size:9,} {OWN:11} {own:9.4f} {1:9.1f}  bytes of every link")
        with tempfile.TemporaryDirectory() as name:
            np.savez(
                Path(name) / "fabric.npz",
                tail=topology.link_tail,
                head=topology.link_head,
                gbps=topology.link_capacity_gbps,
                hosts=topology.endpoints,
                n=np.array(topology.n_nodes),
            )
            for peer, question in QUESTION.items():
                found = stopped.get(peer) or peer_seconds(peer, Path(name), asked.limit, loads)
                if isinstance(found, str):
                    stopped[peer] = found
                    print(f"{'':9} {peer:11} {found:>19}  {question}", flush=True)
                    continue
                times[peer][size] = found
                print(f"{'':9} {peer:11} {found:9.4f} {found / own:9.1f}  {question}", flush=True)
    print("\ntime grows with endpoints to the power of (first size to last that was run)")
    for name, rows in times.items():
        print(f"{name:11} {growth(rows)}")
    print("whoever has loads per link has railscope's, to 1e-9")
    if asked.figure:
        draw(times, asked.figure)
        print(f"plot: {asked.figure}")


if __name__ == "__main__":
    main()
