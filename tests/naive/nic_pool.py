"""The NICs of a host as one pool, transfer by transfer."""

import numpy as np


def pooled_matrix(matrix, host, domain, rail, gbps):
    """Bytes from rank to rank, (n, n), of which each transfer between hosts goes over the NICs of its two hosts."""
    n = len(matrix)
    pools: dict[tuple[object, int], list[int]] = {}
    for rank in range(n):
        known = host[rank] >= 0 and domain[rank] >= 0
        pools.setdefault((host[rank], domain[rank]) if known else ("alone", rank), []).append(rank)
    pool_of = {rank: name for name, ranks in pools.items() for rank in ranks}

    def nics(rank):
        """Rank by lane: the rail, and which of those on it."""
        found: dict[tuple[int, int], int] = {}
        for other in pools[pool_of[rank]]:
            number = sum(key[0] == rail[other] for key in found)
            found[rail[other], number] = other
        return found

    def even(rank):
        speeds = {gbps[other] for other in pools[pool_of[rank]]}
        return len(speeds) == 1 and speeds != {0.0}

    def kept(rank):
        """The part of a rank's bytes that its NIC can keep: less than all where it is slower than the mean."""
        mean = np.mean([gbps[other] for other in pools[pool_of[rank]]])
        return min(1.0, gbps[rank] / mean) if mean > 0 else 1.0

    total = np.zeros((n, n))

    def send(src, dst, volume):
        if src != dst:
            total[src, dst] += volume

    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            inside = domain[i] == domain[j] and domain[i] >= 0
            if inside or (even(i) and even(j)):
                send(i, j, matrix[i, j])
                continue
            out, into = nics(i), nics(j)
            both = [lane for lane in out if lane in into]
            slower = {lane: min(gbps[out[lane]], gbps[into[lane]]) for lane in both}
            if sum(slower.values()) > 0:
                mean = sum(slower.values()) / len(both)
                spare = {lane: speed - mean for lane, speed in slower.items() if speed - mean > 1e-12}
                weight = spare or {lane: speed for lane, speed in slower.items() if speed > 0}
                ways = [(out[lane], into[lane], part / sum(weight.values())) for lane, part in weight.items()]
            else:
                fastest = [min((-gbps[nic], lane, nic) for lane, nic in found.items())[2] for found in (out, into)]
                ways = [(*fastest, 1.0)] if all(gbps[rank] > 0 for rank in fastest) else []
            own = min(kept(i), kept(j)) if ways else 1.0
            send(i, j, own * matrix[i, j])
            for tail, head, part in ways:
                send(i, tail, (1 - own) * part * matrix[i, j])
                send(tail, head, (1 - own) * part * matrix[i, j])
                send(head, j, (1 - own) * part * matrix[i, j])
    return total
