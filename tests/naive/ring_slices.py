"""A ring all-reduce, slice by slice: who may send what when."""


def ring_time(latency_s: list[float], chunk_s: float, slices: int) -> float:
    """When the last rank has all, if each sends its slices in order and a slice on as soon as it is there.

    `latency_s[r]` is that of the hop from rank r to the next one; a chunk takes `chunk_s` on any hop.
    """
    n = len(latency_s)
    slice_s = chunk_s / slices
    free = [0.0] * n
    there = [[0.0] * slices for _ in range(n)]  # when the slices that rank r sends next have come
    for _ in range(2 * (n - 1)):
        arrived = [[0.0] * slices for _ in range(n)]
        for rank in range(n):
            for piece in range(slices):
                free[rank] = max(free[rank], there[rank][piece]) + slice_s
                arrived[(rank + 1) % n][piece] = free[rank] + latency_s[rank]
        there = arrived
    return max(map(max, there))
