"""The dumps of a subnet as fabrics: what the registry of formats names."""

from collections.abc import Callable

from fabric.formats.infiniband.ibdiagnet import read_db_csv, read_net_dump, read_net_dump_ext
from fabric.formats.infiniband.iblinkinfo import read_iblinkinfo, read_iblinkinfo_lines
from fabric.formats.infiniband.ibnetdiscover import read_ibnetdiscover, read_port_list
from fabric.formats.infiniband.subnet import Subnet
from fabric.formats.infiniband.subnet_lst import read_subnet_lst
from fabric.formats.opening import OpenedFabric, open_subnet


def _opening(read: Callable[[str], Subnet]) -> Callable[..., OpenedFabric]:
    def opened(path: str, host_pattern: str | None = None) -> OpenedFabric:
        return open_subnet(path, read(path), host_pattern)

    return opened


open_ibnetdiscover = _opening(read_ibnetdiscover)
open_port_list = _opening(read_port_list)
open_iblinkinfo = _opening(read_iblinkinfo)
open_iblinkinfo_lines = _opening(read_iblinkinfo_lines)
open_subnet_lst = _opening(read_subnet_lst)
open_net_dump = _opening(read_net_dump)
open_net_dump_ext = _opening(read_net_dump_ext)
open_db_csv = _opening(read_db_csv)
