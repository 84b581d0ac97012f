"""What counters and labels are called, by tool: one table, looked up without regard to case and signs.

Data is counted in words of 4 bytes by InfiniBand's own counters (architecture specification 1.4, 16.1.3.5:
PortXmitData), in bytes by what says so in its name, by octets, and by UFM's ``Infiniband_MBOut_u_Gb`` despite its name.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from collectives.errors import InputError
from collectives.gate import quoted, whole
from fabric.formats.counters.snapshot import COUNTERS, MISSING, RCV, WAIT, XMIT, CounterSample

WORD_BYTES = 4
SATURATED = 2**32 - 1
"""Of a counter of 32 bits; InfiniBand's stay there."""
_FULL = (SATURATED, 2**64 - 1)

# What exporters put in front of and behind a counter's own name.
_FRONT = re.compile(
    r"^(?:node_infiniband_|node_network_|infiniband_(?:switch_|hca_)?|nvswitch_interface_|sonic_interface_"
    r"|interface_|sai_port_stat_|ib_)",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"(?:_total|_?extended|_64)$", re.IGNORECASE)
_ROLES = ("guid", "port_guid", "lid", "node", "device", "port")


@dataclass(frozen=True)
class Counter:
    """What a name stands for.

    Attributes
    ----------
    name : str
        One of `COUNTERS`.
    bytes : int
        Of a count, for data.
    """

    name: str
    bytes: int = 1


@lru_cache(maxsize=4096)
def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


# InfiniBand's own names (perfquery, ibqueryerrors, ibdiagnet, UFM, guilbaults' exporter); treydock's exporter;
# node_exporter; UFM's small telemetry; names of Ethernet ports (Cumulus, SONiC, node_exporter).
_KNOWN: dict[Counter, str] = {
    Counter(XMIT, WORD_BYTES): "PortXmitData PortXmitData64 XmtData",
    Counter(RCV, WORD_BYTES): "PortRcvData PortRcvData64 RcvData",
    Counter(XMIT): "port_transmit_data_bytes port_data_transmitted_bytes MBOut_u_Gb if_out_octets transmit_bytes "
    "transmitted_bytes tx_bytes out_octets",
    Counter(RCV): "port_receive_data_bytes port_data_received_bytes MBIn_u_Gb if_in_octets receive_bytes "
    "received_bytes rx_bytes in_octets",
    Counter(WAIT): "PortXmitWait XmitWait_u_Ticks port_transmit_wait XmtWait",
    Counter("symbol_errors"): "SymbolErrorCounter SymbolErrors_u_Errors port_symbol_error symbol_error "
    "symbol_error_counter SymbolErrors",
    Counter("link_recoveries"): "LinkErrorRecoveryCounter LinkRecovers_u_Errors port_link_error_recovery "
    "link_error_recovery LinkRecovers",
    Counter("link_downs"): "LinkDownedCounter LinkDowned_u_Errors port_link_downed link_downed link_down_counter "
    "LinkDowned",
    Counter("rcv_errors"): "PortRcvErrors RcvErrors_u_Errors port_receive_errors port_errors_received if_in_errors "
    "receive_errs RcvErrors",
    Counter("remote_physical_errors"): "PortRcvRemotePhysicalErrors RcvRemotePhysErrors_u_Errors "
    "port_receive_remote_physical_errors RcvRemotePhysErrors",
    Counter("xmit_discards"): "PortXmitDiscards XmtDiscards_u_Errors port_transmit_discards "
    "port_discards_transmitted if_out_discards transmit_drop XmtDiscards",
    Counter("integrity_errors"): "LocalLinkIntegrityErrors LinkIntegrityErrors_u_Errors "
    "port_local_link_integrity_errors local_link_integrity_errors LinkIntegrityErrors",
    Counter("buffer_overruns"): "ExcessiveBufferOverrunErrors ExcBufOverrunErrors_u_Errors "
    "port_excessive_buffer_overrun_errors excessive_buffer_overrun_errors ExcBufOverrunErrors",
}  # fmt: skip
_BY_NAME = {_squeezed(name): counter for counter, names in _KNOWN.items() for name in names.split()}

_LABELS = {
    "guid": "node_guid nodeguid guid local_guid system_guid",
    "port_guid": "port_guid portguid",
    "lid": "lid local_lid base_lid",
    "node": "local_name switch hca node_description node_desc device_name node_name nodename host_name hostname host "
    "node net.host.name exported_instance instance",
    "device": "device ib_device",
    "port": "port local_port port_number port_num portnum interface interface_name ifname port_name port_label dname",
}
LABELS = {role: tuple(_squeezed(name) for name in names.split()) for role, names in _LABELS.items()}
"""Names of the labels that say which port it is, the first that there is counts."""


@dataclass(frozen=True)
class Vocabulary:
    """Names of counters and labels, with those that the user gives.

    Attributes
    ----------
    metrics : dict of str to Counter
        Metrics of the user's own, by their whole name.
    labels : dict of str to str
        Labels of the user's own, by what they say: guid, port_guid, lid, node, device or port.
    """

    metrics: dict[str, Counter]
    labels: dict[str, str]

    def counter(self, name: str) -> Counter | None:
        """What a name stands for; None for what is not known."""
        if self.metrics:
            return self.metrics.get(name)
        return _BY_NAME.get(_squeezed(_BEHIND.sub("", _FRONT.sub("", _BEHIND.sub("", name)))))

    def label(self, role: str, labels: dict[str, str]) -> str:
        """The value of the label that says it; empty where there is none."""
        own = self.labels.get(role)
        if own is not None:
            return labels.get(own, "")
        known = {_squeezed(name): value for name, value in labels.items()}
        return next((known[name] for name in LABELS[role] if known.get(name)), "")


USUAL = Vocabulary({}, {})


def vocabulary(metrics: tuple[str, ...] = (), labels: tuple[str, ...] = ()) -> Vocabulary:
    """Names as the user gives them.

    Parameters
    ----------
    metrics : tuple of str
        ``[COUNTER=]NAME[*BYTES]``: which counter a metric is (`COUNTERS`; default ``xmit``), and bytes of a count.
    labels : tuple of str
        ``guid=NAME,port=NAME``: labels that say which port it is (guid, port_guid, lid, node, device, port).

    Raises
    ------
    InputError
        A counter or role that is not known.

    >>> vocabulary(("my_tx*4", "rcv=my_rx"), ("guid=g,port=p",)).metrics["my_tx"]
    Counter(name='xmit', bytes=4)
    """
    found: dict[str, Counter] = {}
    for text in metrics:
        left, equals, right = text.partition("=")
        counter, name = (left.strip(), right.strip()) if equals else (XMIT, left.strip())
        name, star, factor = name.partition("*")
        if counter not in COUNTERS or not name:
            raise InputError(f"metric {quoted(text)}: expected [COUNTER=]NAME[*BYTES], COUNTER one of "
                             f"{', '.join(COUNTERS)}")  # fmt: skip
        found[name] = Counter(counter, whole(factor, f"metric {quoted(text)}: bytes", 1, 64) if star else 1)
    roles: dict[str, str] = {}
    for text in ",".join(labels).split(",") if labels else ():
        role, _, name = text.partition("=")
        if role.strip() not in _ROLES or not name.strip():
            raise InputError(f"label {quoted(text)}: expected {', '.join(_ROLES)} and the label's name, guid=NAME")
        roles[role.strip()] = name.strip()
    return Vocabulary(found, roles)


_MISSING = {"", "-1", "n/a", "na", "nan", "nil", "none", "null", "-"}
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)
# A description in LLDP has at most 255 letters.
_LONGEST_NAME = 256


def count_of(text: str, what: str) -> int:
    """A count in decimal or hexadecimal digits, or as a float; `MISSING` for ``-1`` and ``N/A``.

    Raises
    ------
    InputError
        ``{what} 'x': expected a count``.
    """
    plain = text.strip()
    if plain.lower() in _MISSING or plain.lower() in ("+inf", "-inf", "inf"):
        return MISSING
    if _DIGITS.fullmatch(plain):
        return int(plain)
    if _HEX.fullmatch(plain):
        return int(plain, 16)
    if _FLOAT.fullmatch(plain) and (value := float(plain)) <= 2.0**64:
        return round(value)
    raise InputError(f"{what} {quoted(text)}: expected a count")


def guid_of(text: str) -> int:
    """A GUID such as ``0x0002c9030001``, ``0002c903:0001:0000:0000`` or bare digits; 0 for what is none."""
    plain = text.strip().lower().replace(":", "").removeprefix("0x")
    return int(plain, 16) if re.fullmatch(r"[0-9a-f]{1,16}", plain) else 0


def port_of(text: str) -> tuple[int, str]:
    """A port's number, and its name where it is called by one: ``7`` has no name; ``swp1s0`` no number.

    >>> port_of("7"), port_of("swp1s0"), port_of(" ")
    ((7, ''), (-1, 'swp1s0'), (-1, ''))
    """
    plain = text.strip()
    return (int(plain), "") if _NUMBER.fullmatch(plain) else (MISSING, plain[:_LONGEST_NAME])


def add(sample: CounterSample, counter: Counter, raw: int, wide: bool = False, most: int = SATURATED) -> None:
    """Put a count into a sample.

    Parameters
    ----------
    raw : int
        As it was counted; `MISSING` where it is not known.
    wide : bool
        It is known to have 64 bits, and counts before one of the same counter that is there.
    most : int
        Where the counter ends and stays; what is there is not known.
    """
    saturated = raw in (most, *_FULL)
    value = MISSING if saturated or raw < 0 else raw * counter.bytes
    # Beyond, nothing has been built: what counts so far is no counter of bytes.
    value = MISSING if value >= 2**62 else value
    if sample.counts.get(counter.name, MISSING) == MISSING or (wide and value != MISSING):
        sample.counts[counter.name] = value
        sample.wide = sample.wide | {counter.name} if wide else sample.wide - {counter.name}
        sample.saturated = sample.saturated - {counter.name} | ({counter.name} if saturated else set())
        if saturated and raw <= SATURATED:
            sample.ends[counter.name] = raw * counter.bytes
        else:
            sample.ends.pop(counter.name, None)
        if counter.name in (XMIT, RCV):
            sample.word_bytes = counter.bytes


def is_wide(name: str) -> bool:
    """Whether the name of a counter says that it has 64 bits."""
    return bool(re.search(r"extended$|64$", name, re.IGNORECASE))
