"""Which ranks and rails the channels of a collective use, as a table and for JSON."""

from collections.abc import Sequence

from collectives.nccl_channels import Channel
from fabric.reports.documents.loads import ChannelPart
from fabric.reports.tables import Table

# Ranks of a ring that a row shows: as many as fit 80 columns.
_RANKS = 8


def channels_table(channels: Sequence[Channel]) -> Table:
    """A row per channel of the first group, with the beginning of its order."""
    columns = ("channel", "enters by rail", "leaves by rail", "order of ranks")
    rows = tuple(
        (str(one.number), _rail(one.enters_rail), _rail(one.leaves_rail), _beginning(one))
        for one in channels
        if one.group == channels[0].group
    )
    return Table(
        "Channels of the first group, in its first domain",
        columns,
        rows,
        frozenset(columns[:3]),
        below=columns[3:],
    )


def channels_document(channels: Sequence[Channel]) -> list[ChannelPart]:
    """Channels of the first group, with all ranks."""
    return [
        {
            "number": one.number,
            "enters_rail": one.enters_rail,
            "leaves_rail": one.leaves_rail,
            "ranks": one.ranks.tolist(),
        }
        for one in channels
        if one.group == channels[0].group
    ]


def _rail(number: int) -> str:
    return str(number) if number >= 0 else "-"


def _beginning(channel: Channel) -> str:
    ranks = channel.ranks
    return " ".join(map(str, ranks[:_RANKS].tolist())) + (" ..." if len(ranks) > _RANKS else "")
