"""Ethernet cabling as fabrics: what the registry of formats names."""

from collections.abc import Callable
from typing import Any

from fabric.formats.ethernet.cable_csv import read_cable_csv
from fabric.formats.ethernet.cabling import Cabling
from fabric.formats.ethernet.config_db import read_config_db
from fabric.formats.ethernet.dot import read_dot
from fabric.formats.ethernet.lldpctl import read_lldpctl
from fabric.formats.ethernet.netq import read_netq
from fabric.formats.opening import OpenedFabric, open_cabling


def _opening(read: Callable[[str], Cabling]) -> Callable[..., OpenedFabric]:
    def opened(path: str, **options: Any) -> OpenedFabric:
        return open_cabling(path, read(path), **options)

    return opened


open_dot = _opening(read_dot)
open_cable_csv = _opening(read_cable_csv)
open_lldpctl = _opening(read_lldpctl)
open_netq = _opening(read_netq)
open_config_db = _opening(read_config_db)
