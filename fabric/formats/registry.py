"""The formats of fabrics and of what goes with them: one table.

Telling a file's format, opening, exporting, help texts and error texts derive from it.  Importing this module imports
no numpy, as help texts need it; readers and writers are imported when they are first used.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from traces.naming import listed, resolved

if TYPE_CHECKING:
    from fabric.formats.opening import OpenedFabric

Holds = Literal["a fabric", "forwarding tables"]


@dataclass(frozen=True)
class Export:
    """What a writer makes.

    Attributes
    ----------
    files : dict of str to str or bytes
        Contents by path.
    notes : tuple of str
        What the format could not say.
    """

    files: dict[str, str | bytes]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name : str
        Unique, such as ``ibnetdiscover``.
    title : str
        What people call it; several formats of one tool may share it.
    shape : str
        Regular expression that matches (`re.search`, multi-line) the first 64 KiB of every such file, and of no other.
        Empty: it is not told by its contents.
    reader : callable or str, optional
        Path, and the options of `options` as keywords, to what the file holds: for a fabric a `Topology`, or an
        `OpenedFabric` where there is more to say.  A text is ``"module:function"``, imported when it is needed.
    writer : callable or str, optional
        (fabric, path) to the contents of the file, or to an `Export` where there are several files or notes.  The
        fabric is an `OpenedFabric`.  Files are compressed afterwards, as their names say.
    ending : str
        Of the names of exported files, such as ``.json``.
    holds : {"a fabric", "forwarding tables"}
    options : frozenset of str
        Which of ``wiring``, ``host_pattern``, ``speed_gbps`` and ``assume_spine`` (see `open_fabric`) the reader takes.
    many : bool
        Whether it also reads a folder, or a tar archive, of such files, one a device.

    Raises
    ------
    InputError
        If a part is missing or is not what is said here.
    """

    name: str
    title: str
    shape: str = ""
    reader: "Callable[..., Any] | str | None" = None
    writer: "Callable[[OpenedFabric, Path], str | bytes | Export] | str | None" = None
    ending: str = ""
    holds: Holds = "a fabric"
    options: frozenset[str] = frozenset()
    many: bool = False

    def __post_init__(self) -> None:
        reason = self._wrong()
        if reason:
            from collectives.errors import InputError

            raise InputError(f"format {self.name!r}: {reason}")

    def _wrong(self) -> str:
        """Why this is no format; empty if it is one."""
        try:
            re.compile(self.shape)
        except re.error as error:
            return f"shape: not a regular expression ({error})"
        unknown = sorted(self.options - _OPTIONS)
        rules = (
            (not self.name or not self.title, "expected a name and a title"),
            (self.reader is None and self.writer is None, "expected a reader or a writer"),
            (self.reader is not None and not self.shape, "shape: expected one, as there is a reader"),
            (self.reader is None and bool(self.shape), "reader: expected one, as there is a shape"),
            (self.writer is not None and not re.fullmatch(r"(\.\w+)+", self.ending), "ending: expected one like .json"),
            (self.holds not in get_args(Holds), f"holds {self.holds!r}: expected {listed(get_args(Holds))}"),
            (bool(unknown), f"options {unknown}: expected {listed(sorted(_OPTIONS))}"),
        )
        return next((reason for broken, reason in rules if broken), "")

    def read(self, path: str | Path, **options: Any) -> Any:
        """What the file holds."""
        assert self.reader is not None
        return resolved(self.reader)(str(path), **options)

    def write(self, given: "OpenedFabric", path: Path) -> Export:
        """The files that say what the fabric is, not compressed."""
        assert self.writer is not None
        written = resolved(self.writer)(given, path)
        return written if isinstance(written, Export) else Export({str(path): written})


_OPTIONS = frozenset({"wiring", "host_pattern", "speed_gbps", "assume_spine"})
_formats: dict[str, Format] = {}


def register_format(new: Format) -> None:
    """Add a format.  Its shape is tried before those that are there; of the endings that fit a name the longest wins.

    Raises
    ------
    InputError
        If there is one of that name or ending.
    """
    for old in _formats.values():
        for part in ("name", "ending"):
            if getattr(new, part) and getattr(new, part) == getattr(old, part):
                from collectives.errors import InputError

                raise InputError(f"format {new.name!r}: {part} {getattr(new, part)!r} is that of {old.title} already")
    _formats[new.name] = new


def readable(holds: Holds = "a fabric") -> tuple[Format, ...]:
    """Formats that can be read, in the order in which they are tried."""
    return tuple(one for one in reversed(_formats.values()) if one.reader is not None and one.holds == holds)


def readable_titles(holds: Holds = "a fabric") -> str:
    """What people call the formats that can be read: ``TOML description, node-link JSON, ... or SimAI topology``."""
    return listed(one.title for one in reversed(readable(holds)))


def writable() -> tuple[Format, ...]:
    """Formats that can be exported, in the order in which they were registered."""
    return tuple(one for one in _formats.values() if one.writer is not None)


def writable_endings() -> str:
    """Endings of the names of exported files, and what they are: ``.json (node-link JSON), ...``."""
    return listed(f"{one.ending} ({one.title})" for one in writable())


def format_of(path: str | Path) -> Format:
    """The format of a file, plain, gzip or xz: by what is in it, else by the ending of its name.

    That of a folder or tar archive is that of the first of its files that is of a format of many.

    Raises
    ------
    InputError
        If it cannot be read, or is of none that is registered.
    """
    from collectives.errors import InputError
    from fabric.formats.dump import without_terminal
    from fabric.formats.member_files import is_many
    from traces.compression import plain_name
    from traces.files import read_head

    if is_many(path):
        return _format_of_many(path)
    head = read_head(path)
    # As it is, and as it was before somebody copied it out of a terminal.
    for text in (head, without_terminal(head)):
        for one in (*readable("a fabric"), *readable("forwarding tables")):
            if re.search(one.shape, text, re.MULTILINE):
                return one
    named = by_ending(plain_name(path))
    if named is not None and named.reader is not None:
        return named
    raise InputError(f"{path}: unknown kind of file; expected a fabric: {readable_titles()}")


def _format_of_many(path: str | Path) -> Format:
    from collectives.errors import InputError
    from fabric.formats.member_files import MOST_HEADS, member_heads

    formats = [one for one in readable() if one.many]
    for head in member_heads(path):
        for one in formats:
            if re.search(one.shape, head, re.MULTILINE):
                return one
    titles = listed(dict.fromkeys(one.title for one in reversed(formats)))
    looked = f"no file of a device among the first {MOST_HEADS:,}"
    raise InputError(f"{path}: is a folder or an archive, {looked}; expected {titles}")


def by_ending(name: str) -> Format | None:
    """The format with the longest ending that the name of a file (not compressed) has."""
    fitting = [one for one in _formats.values() if one.ending and name.endswith(one.ending)]
    return max(fitting, key=lambda one: len(one.ending), default=None)


_INFINIBAND = "fabric.formats.infiniband"
_DUMP = frozenset({"host_pattern"})
_ETHERNET = "fabric.formats.ethernet.opened"
_CABLES = frozenset({"host_pattern", "speed_gbps", "assume_spine"})

_BUILT_IN = (
    Format(
        "toml",
        "TOML description",
        r"^\[(?:fabric|leaf|spine|core|scale_up|time|job)\]",
        "fabric.formats.opening:open_description",
        ending=".toml",
        options=frozenset({"wiring"}),
    ),
    Format(
        "node-link",
        "node-link JSON",
        r"\A\s*\{\s*[\"}]",
        "fabric.formats.node_link:open_node_link",
        "fabric.formats.node_link:node_link_export",
        ".json",
    ),
    Format(
        "infragraph",
        "InfraGraph",
        r"\A\s*\{[^{\[]*\"(?:devices|instances)\"\s*:|^(?:infrastructure|devices|instances|edges)\s*:",
        "fabric.formats.infragraph:open_infragraph",
        "fabric.formats.infragraph:infragraph_export",
        ".infragraph.json",
    ),
    Format("graphml", "GraphML", writer="fabric.formats.node_link:graphml_export", ending=".graphml"),
    Format(
        "ibnetdiscover",
        "ibnetdiscover",
        r"^(?:vendid|switchguid|caguid|sysimgguid)\s*=|^(?:Switch|Ca|Hca|Rt)\s+\d+\s+\"",
        f"{_INFINIBAND}.dumps:open_ibnetdiscover",
        options=_DUMP,
    ),
    Format(
        "ibnetdiscover-ports",
        "ibnetdiscover",
        r"^(?:CA|SW|RT)\s+\d+\s+\d+\s+0x[0-9a-fA-F]+\s+\d+x ",
        f"{_INFINIBAND}.dumps:open_port_list",
        options=_DUMP,
    ),
    Format(
        "iblinkinfo",
        "iblinkinfo",
        r"^(?:CA|RT|Router): .*:\s*$|^Switch:? 0x[0-9a-fA-F]+ .*:\s*$",
        f"{_INFINIBAND}.dumps:open_iblinkinfo",
        options=_DUMP,
    ),
    Format(
        "iblinkinfo-lines",
        "iblinkinfo",
        r"^0x[0-9a-fA-F]+\s+\".*==\(",
        f"{_INFINIBAND}.dumps:open_iblinkinfo_lines",
        options=_DUMP,
    ),
    Format(
        "subnet-lst",
        "opensm-subnet.lst",
        r"^\{ (?:SW|CA|RT)\S* Ports:",
        f"{_INFINIBAND}.dumps:open_subnet_lst",
        options=_DUMP,
    ),
    Format(
        "ibdiagnet-db-csv",
        "ibdiagnet's db_csv",
        r"^START_[A-Z0-9_]+$",
        f"{_INFINIBAND}.dumps:open_db_csv",
        options=_DUMP,
    ),
    Format(
        "ibdiagnet-net-dump",
        "ibdiagnet's net_dump",
        r"^\"[^\"]*\",[^,]*, *0x[0-9a-fA-F]+, *LID +[0-9]+$",
        f"{_INFINIBAND}.dumps:open_net_dump",
        options=_DUMP,
    ),
    Format(
        "ibdiagnet-net-dump-ext",
        "ibdiagnet's net_dump_ext",
        r"^Ty *: *# *: *#IB *:",
        f"{_INFINIBAND}.dumps:open_net_dump_ext",
        options=_DUMP,
    ),
    Format(
        "simai", "SimAI topology", r"\A\s*\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+\S+\s*\n", "fabric.formats.simai:read_simai"
    ),
    Format(
        "topology-dot",
        "topology.dot",
        r"^[ \t]*(?:strict\s+)?(?:di)?graph(?:\s+(?:\"[^\"\n]*\"|[^\s{\"]+))?\s*\{",
        f"{_ETHERNET}:open_dot",
        options=_CABLES,
    ),
    Format(
        "cable-csv",
        "CSV of cables (UFM's NDT, sonic-mgmt, NetBox)",
        # The first line that is neither blank nor a comment; UFM begins its header with one's sign.
        r"(?i)\A(?:[ \t]*(?:#[^\n]*)?\n)*?[^\n{}]*?"
        r"(?:\b(?:start|source|src|side[ _]a)[ _]?device|\bdevice[ _]?[a1]|\ba[ _]device|\btermination a)\"?[ ]*[,;\t]",
        f"{_ETHERNET}:open_cable_csv",
        options=_CABLES,
    ),
    Format(
        "lldpctl",
        "lldpctl JSON",
        r"\A[^{]*^[ \t]*\{\s*\"(?:lldp|local-chassis)\"\s*:",
        f"{_ETHERNET}:open_lldpctl",
        options=_CABLES,
        many=True,
    ),
    Format(
        "netq",
        "NetQ topology",
        r"\A\s*[\[{][\s\S]*?\"compounded_(?:links|nodes)\"\s*:",
        f"{_ETHERNET}:open_netq",
        options=_CABLES,
    ),
    Format(
        "config-db",
        "SONiC config_db.json",
        r"\A[^{]*^[ \t]*\{[\s\S]*?\"(?:DEVICE_NEIGHBOR|DEVICE_METADATA)(?:\||\"\s*:)",
        f"{_ETHERNET}:open_config_db",
        options=_CABLES,
        many=True,
    ),
    Format("ibsim", "ibsim netlist", writer=f"{_INFINIBAND}.ibsim:netlist_export", ending=".net"),
    Format(
        "lfts",
        "opensm-lfts.dump, dump_lfts, ibroute",
        r"^Unicast lids \[",
        f"{_INFINIBAND}.lfts:read_lfts",
        holds="forwarding tables",
    ),
    Format(
        "fdbs",
        "opensm.fdbs",
        r"^dump_ucast_routes: ",
        f"{_INFINIBAND}.lfts:read_lfts",
        holds="forwarding tables",
    ),
)

for _format in _BUILT_IN:
    register_format(_format)
