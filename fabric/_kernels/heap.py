"""A binary heap of keys, each with an item: the smallest key is at place 0."""

from fabric._kernels.arrays import FloatVector, Int32Vector
from fabric._kernels.compile import borrowing_kernel


@borrowing_kernel
def sift_up(key: FloatVector, item: Int32Vector, place: int) -> None:
    """Move the entry at a place to where none before it is larger."""
    k, i = key[place], item[place]
    while place > 0:
        parent = (place - 1) >> 1
        if key[parent] <= k:
            break
        key[place], item[place] = key[parent], item[parent]
        place = parent
    key[place], item[place] = k, i


@borrowing_kernel
def sift_down(key: FloatVector, item: Int32Vector, size: int) -> None:
    """Move the entry at place 0 of a heap of `size` to where none behind it is smaller."""
    k, i = key[0], item[0]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= k:
            break
        key[place], item[place] = key[child], item[child]
        place = child
    key[place], item[place] = k, i
