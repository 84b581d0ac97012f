"""Bytes down a DAG from the definition: slow, obvious code that referees the kernel."""


def naive_carried(hops, waiting):
    """Bytes on each hop (tail, head, gbps): a switch sends all that waits or arrives there on, by capacity."""

    def leaving(switch):
        arriving = sum(carried(hop) for hop in hops if hop[1] == switch)
        return waiting[switch] + arriving

    def carried(hop):
        tail, _, gbps = hop
        return leaving(tail) * gbps / sum(other[2] for other in hops if other[0] == tail)

    return [carried(hop) for hop in hops]
