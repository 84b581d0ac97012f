"""Each form of a launcher, read back by a parser that knows the form only."""

import json
import re

import numpy as np
import pytest

from collectives import InputError
from fabric.formats.opening import open_fabric
from fabric.jobs.launchers import LAUNCHER_FORMS, launcher_text
from fabric.jobs.placement import Placement, fragmented, packed, scattered

# Ranks dealt out to hosts like cards: rank 1 is on the second host.
ROUND = np.arange(64, dtype=np.int32).reshape(8, 8).T.ravel()


@pytest.fixture(scope="module")
def cluster():
    return open_fabric("hgx-b200-64")


def endpoint_of(fabric, host, gpu):
    """Endpoints are called after host and rail."""
    return fabric.topology.endpoint_names.index(f"{host}g{gpu}")


def counted(hosts):
    """A launcher's own count of local ranks."""
    seen: dict[str, int] = {}
    for host in hosts:
        yield host, seen.get(host, 0)
        seen[host] = seen.get(host, 0) + 1


def parsed(form, text, per_host):
    """Host and GPU of each rank."""
    lines = text.splitlines()
    if form == "slurm-hostfile":
        return list(counted(lines))
    if form == "slurm-nodelist":
        options = dict(part.removeprefix("--").split("=", 1) for part in text.split())
        hosts = options["nodelist"].split(",")
        assert options["distribution"] == "arbitrary"
        assert int(options["ntasks"]) == len(hosts)
        assert int(options["nodes"]) == len(set(hosts))
        return list(counted(hosts))
    if form == "mpi-rankfile":
        assert all(re.fullmatch(r"rank \d+=\S+ slot=\d+", line) for line in lines)
        rows = re.findall(r"^rank (\d+)=(\S+) slot=(\d+)$", text, re.MULTILINE)
        assert [int(rank) for rank, _, _ in rows] == list(range(len(rows)))
        return [(host, int(slot)) for _, host, slot in rows]
    if form == "openmpi-hostfile":
        pairs = [line.split(" slots=") for line in lines]
        return [(host, gpu) for host, slots in pairs for gpu in range(int(slots))]
    if form == "torchrun-hosts":
        return [(host, gpu) for host in lines for gpu in range(per_host)]
    rows = json.loads(text)["ranks"]
    assert [row["rank"] for row in rows] == list(range(len(rows)))
    return [(row["host"], row["gpu"]) for row in rows]


@pytest.mark.parametrize("form", list(LAUNCHER_FORMS))
@pytest.mark.parametrize("kind", ["packed", "scattered", "part of each host", "fragmented"])
def test_a_form_read_back_is_the_placement(cluster, form, kind):
    topology = cluster.topology
    placement = {
        "packed": packed(topology),
        "scattered": scattered(topology, 64, seed=4),
        "part of each host": scattered(topology, 32, 4, seed=2),
        "fragmented": fragmented(topology, 24, 1),
    }[kind]
    rows = parsed(form, launcher_text(form, cluster, placement), 4 if kind.startswith("part") else 8)
    assert [endpoint_of(cluster, *row) for row in rows] == placement.endpoint.tolist()


@pytest.mark.parametrize("form", ["slurm-hostfile", "slurm-nodelist", "mpi-rankfile", "json"])
def test_ranks_that_go_round_hosts(cluster, form):
    placement = Placement(ROUND)
    rows = parsed(form, launcher_text(form, cluster, placement), 8)
    assert [endpoint_of(cluster, *row) for row in rows] == placement.endpoint.tolist()


@pytest.mark.parametrize("form", ["mpi-rankfile", "json"])
def test_other_gpus_than_the_first(cluster, form):
    placement = Placement(np.array([5, 3, 12]))
    rows = parsed(form, launcher_text(form, cluster, placement), 8)
    assert [endpoint_of(cluster, *row) for row in rows] == [5, 3, 12]


@pytest.mark.parametrize(
    ("form", "endpoint", "message"),
    [
        ("openmpi-hostfile", ROUND, "host h0000 has ranks 0, 8, 16, 24, 32, 40, 48, 56; the form can say consecutive"),
        ("torchrun-hosts", ROUND, "the form can say consecutive ranks only; a slurm-hostfile"),
        ("torchrun-hosts", np.arange(12), "host h0001 has 4 ranks, h0000 8; expected as many on each host"),
        ("slurm-hostfile", [1, 0], "ranks 0, 1 are on GPUs 1, 0 of host h0000; the form names hosts only"),
        ("slurm-nodelist", [4], "ranks 0 are on GPUs 4 of host"),
        ("slurm-hosts", [0], "launcher form 'slurm-hosts': did you mean slurm-hostfile?"),
        ("json", [64], "rank 0 is on endpoint 64; expected 0 to 63"),
    ],
)
def test_what_a_form_cannot_say_is_refused(cluster, form, endpoint, message):
    with pytest.raises(InputError) as refused:
        launcher_text(form, cluster, Placement(np.array(endpoint)))
    text = str(refused.value)
    assert message in text
    assert "\n" not in text


def named(tmp_path, hosts, names):
    nodes = [{"id": name, "kind": "endpoint", **host} for name, host in zip(names, hosts, strict=True)]
    nodes.append({"id": "s", "kind": "switch", "tier": 1})
    edges = [{"source": name, "target": "s", "bandwidth": "400Gbps"} for name in names]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"directed": False, "nodes": nodes, "links": edges}))
    return open_fabric(str(path))


def test_hosts_that_cannot_be_named_are_refused(tmp_path):
    nowhere = named(tmp_path, [{}, {}], ["a", "b"])
    if (nowhere.topology.endpoint_host < 0).any():
        with pytest.raises(InputError, match="endpoint 'a': on which host it is, is not said"):
            launcher_text("json", nowhere, packed(nowhere.topology))
    odd = named(tmp_path, [{"host": 0}, {"host": 1}], ["a=1;x", "b"])
    with pytest.raises(InputError, match="mpi-rankfile: host 'a=1;x': expected letters"):
        launcher_text("mpi-rankfile", odd, packed(odd.topology))
    json.loads(launcher_text("json", odd, packed(odd.topology)))
