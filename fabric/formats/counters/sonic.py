"""SONiC: the database of counters as ``sonic-db-dump`` prints it, a file a switch, named like the switch."""

from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from fabric.formats.counters.names import USUAL, Vocabulary, add, count_of
from fabric.formats.counters.prometheus import host_of_file
from fabric.formats.counters.reading import CounterReading
from fabric.formats.counters.snapshot import CounterSample
from traces.json_text import parse_json

_PORTS = "COUNTERS_PORT_NAME_MAP"


def read_sonic(name: str, text: str, words: Vocabulary = USUAL) -> CounterReading:
    """Read COUNTERS_DB as JSON: objects ``COUNTERS:oid:..`` and the map of ports to them.

    Arguments and errors as for `read_perfquery`; interfaces without a counter of octets are left out.
    """
    document = parse_json(text, name)
    ports = _value(document, _PORTS, name)
    found = CounterReading()
    for interface, oid in ports.items():
        counters = _value(document, f"COUNTERS:{oid}", name)
        where = f"{name}: {interface}"
        sample = CounterSample(where, node=host_of_file(name), port_name=str(interface))
        for title, count in counters.items():
            counter = words.counter(str(title))
            if counter is not None:
                add(sample, counter, count_of(str(count), f"{where}: {title}"), wide=True)
        found.samples.append(sample)
    return found


def _value(document: Any, key: str, name: str) -> dict[Any, Any]:
    """An object of the database; ``sonic-db-dump`` puts it below ``value``."""
    entry = document.get(key) if isinstance(document, dict) else None
    value = entry.get("value", entry) if isinstance(entry, dict) else None
    if not isinstance(value, dict):
        raise InputError(f"{name}: {key} {shown(entry)}; expected an object, as sonic-db-dump -n COUNTERS_DB prints it")
    return value
