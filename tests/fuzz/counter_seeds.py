"""Small counters of ports in every form, of the fabric that everything else here refers to."""

import numpy as np

from fabric.formats.counters.files import read_counters
from fabric.formats.opening import OpenedFabric
from fabric.studies.counters import compared
from fabric.studies.measured import measure
from tests.fabric import counter_twins as twins

_WRITERS = {
    "perfquery": twins.perfquery,
    "ibqueryerrors": twins.ibqueryerrors,
    "ibdiagnet-db-csv": twins.db_csv,
    "ibdiagnet-pm": twins.pm,
    "prometheus-text": twins.guilbaults,
    "prometheus-json": twins.vector,
    "ufm-csv": twins.ufm_csv,
    "ufm-json": twins.ufm_json,
    "otlp": twins.otlp,
    "sonic": twins.sonic,
}


def counter_seeds(fabric: OpenedFabric) -> dict[str, bytes]:
    """A text of six ports by the name of its format."""
    ports = twins.ports_of(fabric, np.arange(fabric.topology.n_links) * 1000)[:6]
    return {name: write(ports).encode() for name, write in _WRITERS.items()}


def suspected(fabric: OpenedFabric, path: str) -> None:
    """Read counters as what links carried, and look for suspects."""
    snapshot = read_counters(path)
    if set(snapshot.node) == {"input"}:
        return  # of the switch that the file is named like, which is none here
    study = compared(measure(fabric, snapshot, interval_s=10.0))
    assert all(np.isfinite(suspect.weight) for suspect in study.suspects)
    assert (study.measured.bytes[study.measured.known] >= 0).all()
