"""Programs of collective algorithms, for any number of members.

Sources: R. Thakur, R. Rabenseifner, W. Gropp: Optimization of collective communication operations in MPICH, Int. J.
High Perform. Comput. Appl. 19 (2005): recursive doubling and halving, Rabenseifner's all-reduce, binomial trees, and
folding of member counts that are no powers of two.  J. Bruck et al.: Efficient algorithms for all-to-all communications
in multiport message-passing systems, IEEE Trans. Parallel Distrib. Syst. 8 (1997).  P. Sanders, J. Speck, J. Traeff:
Two-tree algorithms for full bandwidth broadcast, reduction and scan, Parallel Comput. 35 (2009): double binary trees.
"""

from collections.abc import Callable

import numpy as np

from collectives.demand import Int64Vector
from collectives.steps import Program, Step, step_of


def _span(first: int, count: int, n: int) -> Int64Vector:
    """Blocks ``first .. first + count - 1``, modulo `n`."""
    return (first + np.arange(count, dtype=np.int64)) % n


def _round(n: int, shift: int, blocks: int, first: "np.typing.ArrayLike", combine: bool) -> Step:
    """Every member sends `blocks` blocks from ``first[member]`` on to member + shift."""
    members = np.arange(n, dtype=np.int64)
    begin = np.asarray(first, np.int64)
    return Step(members, (members + shift) % n, np.full(n, blocks), lambda t: _span(int(begin[t]), blocks, n), combine)


def ring_reduce_scatter(n: int, shift: int = 1) -> Program:
    """``n - 1`` steps of one block; member i ends with block i."""
    members = np.arange(n)
    steps = [_round(n, shift, 1, (members - shift * (1 + s)) % n, True) for s in range(n - 1)]
    return Program(n, n, tuple(steps))


def ring_all_gather(n: int, shift: int = 1) -> Program:
    """``n - 1`` steps of one block."""
    members = np.arange(n)
    return Program(n, n, tuple(_round(n, shift, 1, (members - shift * s) % n, False) for s in range(n - 1)))


def ring_all_reduce(n: int) -> Program:
    """Reduce-scatter, then all-gather, round the ring."""
    return Program(n, n, ring_reduce_scatter(n).steps + ring_all_gather(n).steps)


def ring_broadcast(n: int) -> Program:
    """Member 0's buffer from each member to the next, in a pipeline."""
    steps = [step_of([(i, i + 1, np.array([0]))]) for i in range(n - 1)]
    return Program(n, 1, tuple(steps), "pipelined")


def ring_reduce(n: int) -> Program:
    """The broadcast backwards, adding."""
    steps = [step_of([(i + 1, i, np.array([0]))], True) for i in reversed(range(n - 1))]
    return Program(n, 1, tuple(steps), "pipelined")


def bidirectional_ring_all_reduce(n: int) -> Program:
    """Half of every block each way round: both directions of a cable are used."""

    def both(there: Step, back: Step) -> Step:
        # Block b in halves 2b and 2b + 1.
        rows = [
            *(
                (int(a), int(b), 2 * there.contents(t))
                for t, (a, b) in enumerate(zip(there.src, there.dst, strict=True))
            ),
            *(
                (int(a), int(b), 2 * back.contents(t) + 1)
                for t, (a, b) in enumerate(zip(back.src, back.dst, strict=True))
            ),
        ]
        src, dst = np.concatenate([there.src, back.src]), np.concatenate([there.dst, back.dst])
        return Step(src, dst, np.ones(src.size, np.int64), lambda t: rows[t][2], there.combine)

    there = ring_reduce_scatter(n).transfers() + ring_all_gather(n).transfers()
    back = ring_reduce_scatter(n, -1).transfers() + ring_all_gather(n, -1).transfers()
    return Program(n, 2 * n, tuple(both(one, other) for one, other in zip(there, back, strict=True)))


class _Fold:
    """Members folded to a power of two: of the first ``2 r``, each odd one stands for the even one before it.

    Attributes
    ----------
    n, core, rest : int
        Members, places that are left, and members that are folded away.
    member : (core,) int64
        Who stands in each place.
    edge : (core + 1,) int64
        Where the blocks of each place begin: one for each member that it stands for, or one in all.
    """

    def __init__(self, n: int, block_a_place: bool = False) -> None:
        self.n = n
        self.core = 1 << (n.bit_length() - 1)
        self.rest = n - self.core
        self.member = np.array([2 * p + 1 if p < self.rest else p + self.rest for p in range(self.core)], np.int64)
        place = np.arange(self.core + 1, dtype=np.int64)
        self.edge = place if block_a_place else place + np.minimum(place, self.rest)

    def in_step(self, everything: bool, combine: bool) -> list[Step]:
        """Even members hand their block (or all) to the odd one behind."""
        whole = np.arange(self.edge[-1], dtype=np.int64)
        rows = [(2 * i, 2 * i + 1, whole if everything else whole[2 * i : 2 * i + 1]) for i in range(self.rest)]
        return [step_of(rows, combine)] if rows else []

    def out_step(self, blocks: Callable[[int], Int64Vector]) -> list[Step]:
        """Odd members hand back to the even one those blocks that are given for it."""
        rows = [(2 * i + 1, 2 * i, blocks(2 * i)) for i in range(self.rest)]
        return [step_of(rows)] if rows else []

    def _exchange(self, width: int, first: Int64Vector, combine: bool) -> Step:
        """Each core place sends the blocks of places ``first .. first + width - 1`` to the one `width` away."""
        place = np.arange(self.core, dtype=np.int64)
        begin, end = self.edge[first], self.edge[first + width]
        return Step(
            self.member[place],
            self.member[place ^ width],
            end - begin,
            lambda t: np.arange(begin[t], end[t], dtype=np.int64),
            combine,
        )

    def halving(self) -> list[Step]:
        """Reduce-scatter of the core: half of what is left to the partner at half the distance."""
        place = np.arange(self.core, dtype=np.int64)
        widths = [1 << k for k in reversed(range(self.core.bit_length() - 1))]
        return [self._exchange(width, (place ^ width) & ~(width - 1), True) for width in widths]

    def doubling(self) -> list[Step]:
        """All-gather of the core: all that one has to the partner at twice the distance."""
        place = np.arange(self.core, dtype=np.int64)
        widths = [1 << k for k in range(self.core.bit_length() - 1)]
        return [self._exchange(width, place & ~(width - 1), False) for width in widths]


def halving_reduce_scatter(n: int) -> Program:
    """Recursive halving."""
    fold = _Fold(n)
    return Program(
        n, n, (*fold.in_step(True, True), *fold.halving(), *fold.out_step(lambda member: np.array([member])))
    )


def doubling_all_gather(n: int) -> Program:
    """Recursive doubling."""
    fold = _Fold(n)
    others = np.arange(n, dtype=np.int64)
    # Its own block a member has.
    out = fold.out_step(lambda member: np.delete(others, member))
    return Program(n, n, (*fold.in_step(False, False), *fold.doubling(), *out))


def halving_doubling_all_reduce(n: int) -> Program:
    """Recursive halving, then doubling, of as many blocks as there are places.

    R. Rabenseifner: Optimization of collective reduction operations, ICCS 2004: the buffer is cut in 2^k blocks
    whatever the number of members; those that are folded away hand in all of it and get all of it back.
    """
    fold = _Fold(n, block_a_place=True)
    everything = fold.edge[:-1]
    steps = (*fold.in_step(True, True), *fold.halving(), *fold.doubling(), *fold.out_step(lambda member: everything))
    return Program(n, fold.core, steps)


def pat_all_gather(n: int) -> Program:
    """Logarithmic for any count (Bruck), like NCCL's PAT: ``2^k`` blocks to the member ``2^k`` before."""
    members = np.arange(n)
    steps, have = [], 1
    while have < n:
        steps.append(_round(n, -have, min(have, n - have), members, False))
        have *= 2
    return Program(n, n, tuple(steps))


def pat_reduce_scatter(n: int) -> Program:
    """`pat_all_gather` backwards in time, adding."""
    members = np.arange(n)
    distances = [1 << k for k in range((n - 1).bit_length())]
    steps = [_round(n, d, min(d, n - d), (members + d) % n, True) for d in reversed(distances)]
    return Program(n, n, tuple(steps))


def pairwise_all_to_all(n: int) -> Program:
    """``n - 1`` steps; in step s member i sends to i + s."""
    members = np.arange(n, dtype=np.int64)
    steps = []
    for shift in range(1, n):
        to = (members + shift) % n
        block = members * n + to
        steps.append(Step(members, to, np.ones(n, np.int64), lambda t, block=block: block[t : t + 1]))  # type: ignore[misc]
    return Program(n, n, tuple(steps))


def bruck_all_to_all(n: int) -> Program:
    """A step per bit of the distance: what has it set in the distance left moves on by it."""
    members = np.arange(n, dtype=np.int64)
    steps = []
    for bit in (1 << k for k in range((n - 1).bit_length())):
        distance = np.arange(n, dtype=np.int64)
        moving = distance[(distance & bit) > 0]

        def contents(t: int, moving: Int64Vector = moving, bit: int = bit) -> Int64Vector:
            source = (t - (moving & (bit - 1))) % n
            return source * n + (source + moving) % n

        steps.append(Step(members, (members + bit) % n, np.full(n, moving.size), contents))
    return Program(n, n, tuple(steps))


def _binary_tree(n: int, flip: bool) -> dict[int, int]:
    """Parent of each place of ``1 .. n - 1`` below root 0: an in-order binary tree, or (`flip`) its image.

    In the one tree the even places are the inner ones, in the other the odd ones: a member sends on in one at most.
    """
    places = list(range(1, n))
    parent: dict[int, int] = {}

    def build(first: int, last: int, above: int) -> None:
        if first > last:
            return
        # The place with most trailing zeros is the inner one.
        top = max(range(first, last + 1), key=lambda place: (place & -place, -place))
        parent[top] = above
        build(first, top - 1, top)
        build(top + 1, last, top)

    build(1, n - 1, 0)
    if not flip:
        return parent
    # Mirrored or shifted, whichever turns even places into odd ones.
    mirror = {place: n - place if n % 2 else place % (n - 1) + 1 for place in places} | {0: 0}
    return {mirror[place]: mirror[above] for place, above in parent.items()}


def _by_depth(parent: dict[int, int]) -> list[list[tuple[int, int]]]:
    """(child, parent) of each depth, the root's children first."""
    depth: dict[int, int] = {0: 0}

    def of(place: int) -> int:
        if place not in depth:
            depth[place] = of(parent[place]) + 1
        return depth[place]

    levels: dict[int, list[tuple[int, int]]] = {}
    for place, above in sorted(parent.items()):
        levels.setdefault(of(place), []).append((place, above))
    return [levels[level] for level in sorted(levels)]


def double_binary_trees(n: int) -> list[tuple[Int64Vector, Int64Vector, int]]:
    """Children and parents of the edges of each of the two trees over `n` members, and its depth; none for one."""
    trees = [_binary_tree(n, flip) for flip in (False, True)] if n > 1 else []
    return [(np.array(list(tree)), np.array(list(tree.values())), len(_by_depth(tree))) for tree in trees]


def double_tree_all_reduce(n: int) -> Program:
    """Half of the buffer up and down each of two binary trees, in a pipeline."""
    trees = [_by_depth(_binary_tree(n, flip)) for flip in (False, True)]
    depth = max(map(len, trees))
    half = [np.array([number]) for number in (0, 1)]
    up: list[Step] = []
    for level in reversed(range(depth)):
        # Children of one parent come in one after the other: additions of one step must not collide.
        for side in (0, 1):
            rows = []
            for number, tree in enumerate(trees):
                seen: set[int] = set()
                for child, above in tree[level] if level < len(tree) else ():
                    second = above in seen
                    seen.add(above)
                    if second == bool(side):
                        rows.append((child, above, half[number]))
            if rows:
                up.append(step_of(rows, True))
    down = [
        step_of(
            [
                (above, child, half[number])
                for number, tree in enumerate(trees)
                for child, above in (tree[level] if level < len(tree) else ())
            ]
        )
        for level in range(depth)
    ]
    return Program(n, 2, (*up, *down), "pipelined")


def _binomial(n: int) -> list[list[tuple[int, int, int]]]:
    """(parent, child, members below and with the child) of each step of a binomial tree from member 0."""
    steps = []
    distance = 1 << max(0, (n - 1).bit_length() - 1)
    while distance and n > 1:
        steps.append(
            [
                (place, place + distance, min(distance, n - place - distance))
                for place in range(0, n, 2 * distance)
                if place + distance < n
            ]
        )
        distance //= 2
    return steps


def tree_broadcast(n: int) -> Program:
    """Binomial tree; the whole buffer in each step."""
    whole = np.array([0])
    return Program(n, 1, tuple(step_of([(a, b, whole) for a, b, _ in step]) for step in _binomial(n)))


def tree_reduce(n: int) -> Program:
    """The binomial tree backwards, adding."""
    whole = np.array([0])
    steps = [step_of([(b, a, whole) for a, b, _ in step], True) for step in reversed(_binomial(n))]
    return Program(n, 1, tuple(steps))


def tree_scatter(n: int) -> Program:
    """Binomial tree; each child gets the blocks of all below it."""
    steps = [step_of([(a, b, np.arange(b, b + size)) for a, b, size in step]) for step in _binomial(n)]
    return Program(n, n, tuple(steps))


def tree_gather(n: int) -> Program:
    """The scatter backwards."""
    steps = [step_of([(b, a, np.arange(b, b + size)) for a, b, size in step]) for step in reversed(_binomial(n))]
    return Program(n, n, tuple(steps))


def direct_gather(n: int) -> Program:
    """Every member sends its block to member 0 (as NCCL's grouped send and receive)."""
    return Program(n, n, (step_of([(i, 0, np.array([i])) for i in range(1, n)]),))


def direct_scatter(n: int) -> Program:
    """Member 0 sends each other one its block."""
    return Program(n, n, (step_of([(0, i, np.array([i])) for i in range(1, n)]),))


def direct_send(n: int) -> Program:
    """Every member sends its buffer, block i of member i, to the next one (as nccl-tests' sendrecv)."""
    return Program(n, 1, (step_of([(i, (i + 1) % n, np.array([i])) for i in range(n if n > 1 else 0)]),))


def direct_all_to_all(n: int) -> Program:
    """Everything at once."""
    rows = [(s, d, np.array([s * n + d])) for s in range(n) for d in range(n) if s != d]
    return Program(n, n, (step_of(rows),))
