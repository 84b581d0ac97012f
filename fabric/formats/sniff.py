"""Tells the format of a fabric's file by its first lines."""

import gzip
import re
import zlib
from pathlib import Path

from collectives.errors import InputError

_HEAD_BYTES = 65536

# The first that is found wins; each is the shape of a line that only this format has.
_SHAPES = (
    ("toml", r"^\[(?:fabric|leaf|spine|scale_up|job)\]"),
    ("infragraph", r"\A\s*\{[^{\[]*\"(?:devices|instances)\"\s*:|^(?:infrastructure|devices|instances|edges)\s*:"),
    ("json", r"\A\s*\{\s*[\"}]"),
    ("subnet-lst", r"^\{ (?:SW|CA|RT)\S* Ports:"),
    ("lfts", r"^(?:Unicast lids \[|dump_ucast_routes: )"),
    ("iblinkinfo", r"^(?:CA|RT|Router): .*:\s*$|^Switch:? 0x[0-9a-fA-F]+ .*:\s*$"),
    ("iblinkinfo-lines", r"^0x[0-9a-fA-F]+\s+\".*==\("),
    ("ibnetdiscover-ports", r"^(?:CA|SW|RT)\s+\d+\s+\d+\s+0x[0-9a-fA-F]+\s+\d+x "),
    ("ibnetdiscover", r"^(?:vendid|switchguid|caguid|sysimgguid)\s*=|^(?:Switch|Ca|Hca|Rt)\s+\d+\s+\""),
    ("simai", r"\A\s*\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+\S+\s*\n"),
)


def format_of(path: str | Path) -> str:
    """Name of the format of a plain or gzip file.

    Raises
    ------
    InputError
        If it cannot be read, or is none that railscope reads.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_HEAD_BYTES)
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(wbits=31).decompress(data, _HEAD_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a gzip file ({error})") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    text = data.decode("utf-8-sig", "backslashreplace")
    for name, shape in _SHAPES:
        if re.search(shape, text, re.MULTILINE):
            return name
    raise InputError(
        f"{path}: unknown kind of file; expected a fabric: TOML description, node-link JSON, InfraGraph, "
        "ibnetdiscover, iblinkinfo, opensm-subnet.lst or SimAI topology"
    )
