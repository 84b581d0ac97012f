"""Rings and tori of hosts: a job takes neighbours (Slurm's topology/ring and topology/torus3d, 26.11)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from collectives.errors import InputError
from fabric.topology import BoolVector

Dims = tuple[int, int, int]

MAX_TORUS = 65_536
"""Hosts of a torus.  Assumed: each shape that a job could have is tried at each of them."""


@dataclass(frozen=True)
class Ring:
    """Hosts of a ring, each the neighbour of the next, the last of the first.

    Attributes
    ----------
    members : tuple of str
    """

    members: tuple[str, ...]

    def choose(self, n_hosts: int, free: Collection[str]) -> tuple[int, tuple[str, ...]] | None:
        """Hosts out of the shortest row of free ones that holds them, and how many it leaves; None: no room."""
        n = len(self.members)
        is_free = [name in free for name in self.members]
        start = next((place for place in range(n) if not is_free[place - 1]), 0)
        best: tuple[int, tuple[str, ...]] | None = None
        row: list[str] = []
        for place in range(start, start + n + 1):
            if place < start + n and is_free[place % n]:
                row.append(self.members[place % n])
                continue
            if len(row) >= n_hosts and (best is None or len(row) - n_hosts < best[0]):
                best = (len(row) - n_hosts, tuple(row[:n_hosts]))
            row = []
        return best


@dataclass(frozen=True)
class Cuboids:
    """Cuboids of one size.

    Attributes
    ----------
    dims : (int, int, int)
    spacing : (int, int, int)
        Distance of their first corners, along each axis until it comes round.
    seed : (int, int, int)
        The first of these corners.
    """

    dims: Dims
    spacing: Dims = (1, 1, 1)
    seed: Dims = (0, 0, 0)


@dataclass(frozen=True)
class Torus:
    """Hosts of a three-dimensional torus.

    Attributes
    ----------
    members : tuple of str
        x runs fastest, then y (src/plugins/topology/torus3d of Slurm); empty where there is no host.
    dims : (int, int, int)
    placements : tuple of Cuboids
        What a job may have; empty: every cuboid anywhere.
    """

    members: tuple[str, ...]
    dims: Dims
    placements: tuple[Cuboids, ...] = ()

    def choose(self, n_hosts: int, free: Collection[str]) -> tuple[int, tuple[str, ...]] | None:
        """Hosts of the smallest free cuboid that holds them, x fastest, and how many it leaves; None: no room."""
        x, y, z = self.dims
        is_free = np.array([name in free for name in self.members]).reshape(z, y, x)
        for cuboids in self._shapes(n_hosts):
            found = np.argwhere(_corners(is_free, cuboids.dims) & _anchors(self.dims, cuboids))
            if found.size:
                cz, cy, cx = found[0].tolist()
                a, b, c = cuboids.dims
                inside = [
                    self.members[((cz + dz) % z * y + (cy + dy) % y) * x + (cx + dx) % x]
                    for dz, dy, dx in product(range(c), range(b), range(a))
                ]
                return len(inside) - n_hosts, tuple(inside[:n_hosts])
        return None

    def _shapes(self, n_hosts: int) -> Sequence[Cuboids]:
        """Cuboids that hold so many hosts: the smallest first, of these the one with the least surface."""
        x, y, z = self.dims
        if self.placements:
            shapes = [each for each in self.placements if _volume(each.dims) >= n_hosts]
        else:
            pairs = product(range(1, x + 1), range(1, y + 1))
            every = [Cuboids((a, b, -(-n_hosts // (a * b)))) for a, b in pairs]
            shapes = [each for each in every if each.dims[2] <= z]
        return sorted(shapes, key=lambda each: (_volume(each.dims), _surface(each.dims), each.dims[::-1]))


Shape = Ring | Torus


def choose_neighbours(
    source: str, kind: str, shapes: Sequence[Shape], n_hosts: int, free: Collection[str]
) -> tuple[str, ...]:
    """Hosts for a job in one ring or torus: the one that leaves least over.

    Raises
    ------
    InputError
        If none has so many free neighbours.
    """
    found = [choice for shape in shapes if (choice := shape.choose(n_hosts, free)) is not None]
    if not found:
        what = "hosts in a row" if kind == "ring" else "hosts that a free cuboid holds"
        raise InputError(
            f"{source}: {len(free)} free hosts in {len(shapes)} {kind}s; "
            f"none has the {n_hosts} {what} that the job needs"
        )
    return min(found, key=lambda choice: choice[0])[1]


def _volume(dims: Dims) -> int:
    return dims[0] * dims[1] * dims[2]


def _surface(dims: Dims) -> int:
    a, b, c = dims
    return a * b + b * c + a * c


def _corners(free: BoolVector, shape: Dims) -> BoolVector:
    """Where a cuboid of free hosts begins, as the axes wrap around."""
    corners = free.copy()
    for axis, size in zip((2, 1, 0), shape, strict=True):
        whole = corners.copy()
        for step in range(1, size):
            whole &= np.roll(corners, -step, axis)
        corners = whole
    return corners


def _anchors(dims: Dims, cuboids: Cuboids) -> BoolVector:
    """Where a cuboid may begin."""
    axes = []
    for size, step, first in zip(dims, cuboids.spacing, cuboids.seed, strict=True):
        allowed = np.zeros(size, bool)
        allowed[(first + np.arange(size) * step) % size] = True
        axes.append(allowed)
    x, y, z = axes
    return z[:, None, None] & y[None, :, None] & x[None, None, :]
