"""What a collective asks of the network: who sends how many bytes to whom.

Ranks only; nothing here knows a network.  All arrays are C-ordered, checked once and read-only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
import numpy.typing as npt

from collectives.errors import InputError
from collectives.sizes import format_decimal

Int32Vector = npt.NDArray[np.int32]
Int64Vector = npt.NDArray[np.int64]
FloatVector = npt.NDArray[np.float64]
BoolVector = npt.NDArray[np.bool_]


def frozen_array(values: npt.ArrayLike, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
    """A read-only, C-ordered vector of `dtype`; the caller's own array keeps its flags.

    Raises
    ------
    InputError
        If `values` is not one-dimensional, does not fit `dtype`, or holds NaN where an integer is due.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{what}: expected a vector, got {array.ndim} dimensions")
    if array.size == 0:
        array = array.astype(dtype)
    if np.issubdtype(dtype, np.integer):
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(f"{what}: expected integers, got {array.dtype}")
        if array.dtype != dtype and array.size and not np.array_equal(array, array.astype(dtype)):
            raise InputError(f"{what}: expected integers that fit {np.dtype(dtype).name}")
    frozen = np.ascontiguousarray(array, dtype=dtype).view()
    frozen.setflags(write=False)
    return frozen


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _volumes(values: npt.ArrayLike, length: int, what: str) -> FloatVector:
    array: FloatVector = frozen_array(values, np.float64, what)
    if array.shape[0] != length:
        raise InputError(f"{what}: expected {length} values, got {array.shape[0]}")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        raise InputError(f"{what}[{bad[0]}]: expected a finite number >= 0, got {array[bad[0]]}")
    return array


def _ranks(values: npt.ArrayLike, what: str) -> Int32Vector:
    array: Int32Vector = frozen_array(values, np.int32, what)
    bad = np.flatnonzero(array < 0)
    if bad.size:
        raise InputError(f"{what}[{bad[0]}]: expected a rank >= 0, got {array[bad[0]]}")
    return array


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of ranks: the members of group ``g`` are ``rank[start[g]:start[g + 1]]``.

    Attributes
    ----------
    start : (n_groups + 1,) int64
        Where each group's members begin in `rank`; the last entry is ``n_members``.
    rank : (n_members,) int32
        The members, in the order in which the collective numbers them.  No rank twice in one group; one rank may
        be in several groups.
    """

    start: Int64Vector
    rank: Int32Vector

    def __post_init__(self) -> None:
        start = frozen_array(self.start, np.int64, "groups.start")
        rank = _ranks(self.rank, "groups.rank")
        if start.shape[0] < 1 or start[0] != 0 or start[-1] != rank.shape[0] or np.any(np.diff(start) < 0):
            raise InputError(f"groups.start: expected offsets that rise from 0 to {rank.shape[0]}")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "rank", rank)
        keys = np.sort(self.member_group() * (int(rank.max(initial=0)) + 1) + rank)
        if np.any(keys[1:] == keys[:-1]):
            raise InputError("groups: expected each rank at most once in a group")

    @classmethod
    def of(cls, groups: npt.ArrayLike | list[list[int]]) -> "Groups":
        """Groups from a list of lists of ranks, or from a (n_groups, size) array."""
        rows = [np.asarray(row) for row in groups]  # type: ignore[union-attr]
        start = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
        rank = np.concatenate(rows) if rows else np.empty(0, np.int32)
        return cls(start, rank if rank.size else rank.astype(np.int32))

    @classmethod
    def consecutive(cls, n_ranks: int, size: int) -> "Groups":
        """Ranks ``0 .. n_ranks - 1`` cut into groups of `size` consecutive ranks.

        Raises
        ------
        InputError
            If `size` does not divide `n_ranks`.
        """
        if size < 1 or n_ranks < 1 or n_ranks % size:
            raise InputError(f"groups of {size}: expected a size >= 1 that divides the job's {n_ranks} ranks")
        return cls(np.arange(0, n_ranks + 1, size, dtype=np.int64), np.arange(n_ranks, dtype=np.int32))

    def __repr__(self) -> str:
        return f"Groups({_shape(self)})"

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return len(self.start) - 1

    @property
    def n_members(self) -> int:
        """Members of all groups together."""
        return len(self.rank)

    @property
    def sizes(self) -> Int64Vector:
        """Members of each group, (n_groups,) int64."""
        return np.diff(self.start)

    def member_group(self) -> Int64Vector:
        """The group of each entry of `rank`, (n_members,) int64."""
        return np.repeat(np.arange(self.n_groups, dtype=np.int64), self.sizes)

    def __iter__(self) -> Iterator[Int32Vector]:
        return (self.rank[a:b] for a, b in zip(self.start[:-1], self.start[1:], strict=True))


def _shape(groups: Groups) -> str:
    """``8 groups of 64 ranks``."""
    least, most = int(groups.sizes.min(initial=groups.n_members)), int(groups.sizes.max(initial=0))
    return f"{_count(groups.n_groups, 'group')} of {'' if least >= most else f'{least:,} to '}{_count(most, 'rank')}"


@dataclass(frozen=True, eq=False)
class Flows:
    """Explicit flows between pairs of ranks.

    Attributes
    ----------
    src, dst : (n_flows,) int32
        Sending and receiving rank.  A flow to oneself is allowed and uses no link.
    bytes : (n_flows,) float64
        Bytes carried; finite, >= 0.
    """

    src: Int32Vector
    dst: Int32Vector
    bytes: FloatVector

    if TYPE_CHECKING:  # lists will do: the constructor makes arrays

        def __init__(self, src: npt.ArrayLike, dst: npt.ArrayLike, bytes: npt.ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "src", _ranks(self.src, "flows.src"))
        object.__setattr__(self, "dst", _ranks(self.dst, "flows.dst"))
        if self.dst.shape != self.src.shape:
            raise InputError(f"flows.dst: expected {self.src.shape[0]} values, got {self.dst.shape[0]}")
        object.__setattr__(self, "bytes", _volumes(self.bytes, self.src.shape[0], "flows.bytes"))

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike) -> "Flows":
        """Flows from a traffic matrix, in the order of its rows; entries of 0 are left out.

        Parameters
        ----------
        matrix : (n_ranks, n_ranks) array_like
            Bytes that the rank of the row sends to that of the column; finite, >= 0.

        Raises
        ------
        InputError
            If the matrix is not square, or an entry is no such number.
        """
        try:
            values = np.asarray(matrix, np.float64)
        except (TypeError, ValueError):
            raise InputError("flows from a matrix: expected numbers, as many in each row") from None
        if values.ndim != 2 or values.shape[0] != values.shape[1]:
            raise InputError(f"flows from a matrix: expected (n, n) values, got {values.shape}")
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            row, column = bad[0].tolist()
            raise InputError(
                f"flows from a matrix: [{row}, {column}] is {values[row, column]:g}; expected a finite number >= 0"
            )
        src, dst = np.nonzero(values)
        return cls(src.astype(np.int32), dst.astype(np.int32), values[src, dst])

    def __repr__(self) -> str:
        return f"Flows({_count(len(self.src), 'flow')}, {format_decimal(self.total_bytes())})"

    @property
    def max_rank(self) -> int:
        """The highest rank that takes part; -1 if none does."""
        return int(max(self.src.max(initial=-1), self.dst.max(initial=-1)))

    def total_bytes(self) -> float:
        """Bytes sent from a rank to another one."""
        return float(self.bytes[self.src != self.dst].sum())


@dataclass(frozen=True, eq=False)
class AllToAll:
    """Within each group, member ``i`` sends ``send[i] * receive[j]`` bytes to every member ``j`` outside its block.

    Uniform all-to-all, skewed popularity of experts, and exchanges between hosts only, without ever writing the
    n^2 pairs.

    Attributes
    ----------
    groups : Groups
    send, receive : (n_members,) float64
        Aligned with ``groups.rank``.
    block : (n_members,) int32 or None
        Members of one group with the same block exchange nothing.  None: each member is a block of its own, so
        that only ``i == j`` is left out.
    """

    groups: Groups
    send: FloatVector
    receive: FloatVector
    block: Int32Vector | None = None

    if TYPE_CHECKING:

        def __init__(
            self, groups: Groups, send: npt.ArrayLike, receive: npt.ArrayLike, block: npt.ArrayLike | None = None
        ) -> None: ...

    def __post_init__(self) -> None:
        n = self.groups.n_members
        object.__setattr__(self, "send", _volumes(self.send, n, "all_to_all.send"))
        object.__setattr__(self, "receive", _volumes(self.receive, n, "all_to_all.receive"))
        if self.block is not None:
            block = frozen_array(self.block, np.int32, "all_to_all.block")
            if block.shape[0] != n:
                raise InputError(f"all_to_all.block: expected {n} values, got {block.shape[0]}")
            object.__setattr__(self, "block", block)

    def __repr__(self) -> str:
        return f"AllToAll({_shape(self.groups)}, {format_decimal(self.total_bytes())})"

    @property
    def max_rank(self) -> int:
        """The highest rank that takes part; -1 if none does."""
        return int(self.groups.rank.max(initial=-1))

    def total_bytes(self) -> float:
        """Bytes sent from a rank to another one.  O(n_members log n_members)."""
        group = self.groups.member_group()
        everything = _sum_of_products(group, self.send, self.receive)
        if self.block is None:
            return everything - float(self.send @ self.receive)
        block = self.block.astype(np.int64)
        width = int(block.max(initial=0)) - int(block.min(initial=0)) + 1
        _, joint = np.unique(group * width + block, return_inverse=True)
        return everything - _sum_of_products(joint.ravel(), self.send, self.receive)


def _sum_of_products(label: Int64Vector, send: FloatVector, receive: FloatVector) -> float:
    if label.size == 0:
        return 0.0
    return float(np.bincount(label, weights=send) @ np.bincount(label, weights=receive))


@dataclass(frozen=True, eq=False)
class Reduction:
    """Reduce and broadcast inside the network: SHARP in the switches, NVLS in the NVLink switches.

    Attributes
    ----------
    groups : Groups
    bytes : (n_groups,) float64
        The buffer that each group reduces: every member sends it up once and receives it once.
    """

    groups: Groups
    bytes: FloatVector

    if TYPE_CHECKING:

        def __init__(self, groups: Groups, bytes: npt.ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes", _volumes(self.bytes, self.groups.n_groups, "reduction.bytes"))

    def __repr__(self) -> str:
        return f"Reduction({_shape(self.groups)}, {format_decimal(self.total_bytes())})"

    @property
    def max_rank(self) -> int:
        """The highest rank that takes part; -1 if none does."""
        return int(self.groups.rank.max(initial=-1))

    def total_bytes(self) -> float:
        """Bytes that ranks send into the network (each receives as many)."""
        sizes = self.groups.sizes
        return float(np.sum(self.bytes * np.where(sizes > 1, sizes, 0)))


Demand = Flows | AllToAll | Reduction


def scaled(demand: Demand, factor: float) -> Demand:
    """The same demand with so many times the bytes."""
    match demand:
        case Flows() | Reduction():
            return replace(demand, bytes=demand.bytes * factor)
        case AllToAll():
            return replace(demand, send=demand.send * factor)
        case _:
            assert_never(demand)
