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
            slower = {
                lane: min(gbps[out[lane]], gbps[into[lane]])
                for lane in out
                if lane in into and min(gbps[out[lane]], gbps[into[lane]]) > 0
            }
            ways = [(out[lane], into[lane], speed / sum(slower.values())) for lane, speed in slower.items()]
            if not ways:
                fastest = [min((-gbps[nic], lane, nic) for lane, nic in found.items())[2] for found in (out, into)]
                if all(gbps[rank] > 0 for rank in fastest):
                    ways = [(*fastest, 1.0)]
            if not ways:
                send(i, j, matrix[i, j])
            for tail, head, part in ways:
                send(i, tail, part * matrix[i, j])
                send(tail, head, part * matrix[i, j])
                send(head, j, part * matrix[i, j])
    return total
