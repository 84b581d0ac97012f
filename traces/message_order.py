"""One order for what several ranks did, messages included, that agrees with each rank's own.

`traces.order` lets a rank wait for each operation before it issues the next.  Collectives bear that, messages do not:
in a ring every rank sends to the next before it receives, and no order of whole messages agrees with all of them.  Here
a send does not wait; a receive waits for its send, a collective for its members.
"""

from collections import Counter
from collections.abc import Sequence

MEMBER, SEND, RECEIVE = "member", "send", "receive"
"""What a rank does in an operation."""


def common_order(
    orders: Sequence[Sequence[tuple[int, str]]], ranks: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], int]:
    """Places of all operations in one order.  O(steps + waves x ranks).

    Parameters
    ----------
    orders : sequence of sequence of (int, str)
        For each rank, in its order, the place of an operation and what it does there.
    ranks : sequence of tuple of int
        Who takes part in the operation of each place, as far as that is known: those of disjoint ranks come side by
        side where they can.

    Returns
    -------
    order : tuple of int
        Every place once.
    forced : int
        How many had to be taken although somebody they waited for was not there yet.
    """
    members = Counter(place for order in orders for place, role in order if role == MEMBER)
    sends = {place for order in orders for place, role in order if role == SEND}
    receives = {place for order in orders for place, role in order if role == RECEIVE}
    arrived: Counter[int] = Counter()
    counted: set[tuple[int, int]] = set()
    sent: set[int] = set()
    done: set[int] = set()
    at = [0] * len(orders)
    result: list[int] = []
    forced = 0
    busy = [number for number, order in enumerate(orders) if order]
    while busy:
        wave: list[int] = []
        posted: list[int] = []
        before = sum(at)
        for number in busy:
            order = orders[number]
            while at[number] < len(order):
                place, role = order[at[number]]
                if role == SEND:
                    posted.append(place)
                    if place not in receives:
                        wave.append(place)
                elif role == RECEIVE and place not in done:
                    if place in sends and place not in sent:
                        break
                    wave.append(place)
                    done.add(place)
                    at[number] += 1
                    # One receive a wave: what is behind it waits for it.
                    break
                elif role == MEMBER and place not in done:
                    if (number, place) not in counted:
                        counted.add((number, place))
                        arrived[place] += 1
                    if arrived[place] < members[place]:
                        break
                    wave.append(place)
                    done.add(place)
                at[number] += 1
        if sum(at) == before:
            # Some wait for one another: the first rank's goes ahead.
            place = orders[busy[0]][at[busy[0]]][0]
            done.add(place)
            wave.append(place)
            forced += 1
        sent.update(posted)
        result += _side_by_side(wave, ranks)
        busy = [number for number in busy if at[number] < len(orders[number])]
    return tuple(result), forced


def _side_by_side(wave: list[int], ranks: Sequence[tuple[int, ...]]) -> list[int]:
    """Those of disjoint ranks first, then those of the rest that are, and so on."""
    result: list[int] = []
    while wave:
        used: set[int] = set()
        left: list[int] = []
        for place in wave:
            if used.isdisjoint(ranks[place]):
                used.update(ranks[place])
                result.append(place)
            else:
                left.append(place)
        wave = left
    return result
