"""Groups of a parallel layout, in Megatron's meaning of the order string.

Source: NVIDIA Megatron-LM, megatron/core/parallel_state.py (`RankGenerator`): the leftmost axis of the order varies
fastest.  Dense layers see the mesh tp x cp x dp x pp, experts the mesh etp x ep x edp x pp over the same ranks; etp is
tp unless given.
"""

import math
from dataclasses import dataclass

import numpy as np

from collectives.demand import Groups
from collectives.errors import InputError
from collectives.gate import whole

DEFAULT_ORDER = "tp-cp-ep-dp-pp"
_AXES = ("tp", "cp", "ep", "dp", "pp")
_DENSE = {"tp", "cp", "dp", "pp"}
_EXPERT = {"etp", "ep", "edp", "pp"}
# Axes whose sizes are given, and those that follow: the ranks over the sizes of the others of the mesh.
_GIVEN = ("tp", "cp", "ep", "pp", "etp")
_DERIVED = {"dp": ("tp", "cp", "pp"), "edp": ("etp", "ep", "pp")}


@dataclass(frozen=True)
class ParallelLayout:
    """Sizes of the parallel axes of a job.

    Attributes
    ----------
    n_ranks : int
    tp, cp, ep, pp : int
        Tensor, context, expert and pipeline parallel sizes.
    etp : int or None
        Tensor parallel size of the experts; None: `tp`.
    order : str
        The axes, fastest first.
    """

    n_ranks: int
    tp: int = 1
    cp: int = 1
    ep: int = 1
    pp: int = 1
    etp: int | None = None
    order: str = DEFAULT_ORDER

    def __post_init__(self) -> None:
        sizes = {"tp": self.tp, "cp": self.cp, "ep": self.ep, "pp": self.pp, "etp": self.expert_tp}
        for name, size in {"ranks": self.n_ranks, **sizes}.items():
            if size < 1:
                raise InputError(f"parallel layout: {name} {size}; expected an integer >= 1")
        if sorted(self.order.split("-")) != sorted(_AXES):
            raise InputError(f"parallel order {self.order!r}: expected each of {', '.join(_AXES)} once, joined by -")
        for axes in _DERIVED.values():
            product = math.prod(sizes[axis] for axis in axes)
            if self.n_ranks % product:
                terms = " x ".join(f"{axis} {sizes[axis]}" for axis in axes)
                raise InputError(f"parallel layout: {terms} = {product} does not divide {self.n_ranks} ranks")

    @classmethod
    def parse(cls, text: str, n_ranks: int, order: str = DEFAULT_ORDER) -> "ParallelLayout":
        """Read sizes such as ``tp=4,ep=64,pp=8``.

        dp and edp follow from the number of ranks; where they are given too, they are checked against it.

        Parameters
        ----------
        text : str
            Some of tp, cp, ep, pp, etp, dp and edp, each once.
        n_ranks : int
        order : str

        Raises
        ------
        InputError
            If an axis is unknown or there twice, a size is no integer >= 1, or the sizes do not make `n_ranks`.
        """
        sizes: dict[str, int] = {}
        for part in text.split(","):
            axis, _, value = (piece.strip() for piece in part.partition("="))
            if axis not in (*_GIVEN, *_DERIVED) or not value or axis in sizes:
                raise InputError(
                    f"parallel layout {part.strip()!r}: expected {'=, '.join(_GIVEN)}=, dp= or edp= with a number, "
                    "each once"
                )
            sizes[axis] = whole(value, f"parallel layout: {axis}", 0, 1 << 40)
        layout = cls(n_ranks, order=order, **{axis: sizes[axis] for axis in _GIVEN if axis in sizes})
        for axis, others in _DERIVED.items():
            left: int = getattr(layout, axis)
            if sizes.get(axis, left) != left:
                raise InputError(
                    f"parallel layout: {axis} {sizes[axis]}; expected {left}, as {n_ranks} ranks over "
                    f"{' x '.join(others)} leave"
                )
        return layout

    @property
    def expert_tp(self) -> int:
        """Tensor parallel size of the experts."""
        return self.tp if self.etp is None else self.etp

    @property
    def dp(self) -> int:
        """Data parallel size of the dense layers."""
        return self.n_ranks // (self.tp * self.cp * self.pp)

    @property
    def edp(self) -> int:
        """Data parallel size of the experts."""
        return self.n_ranks // (self.expert_tp * self.ep * self.pp)

    def groups(self, axes: str) -> Groups:
        """The groups that run over one axis, or several such as ``dp-cp``.

        Parameters
        ----------
        axes : str
            Of tp, cp, dp, pp (dense mesh) or etp, ep, edp, pp (expert mesh).

        Returns
        -------
        Groups
            Members in order of the layout, whatever the order in `axes`.

        Raises
        ------
        InputError
            If an axis is unknown, or the axes belong to different meshes.
        """
        chosen = set(axes.split("-"))
        mesh = next((mesh for mesh in (_DENSE, _EXPERT) if chosen <= mesh), None)
        if mesh is None:
            raise InputError(f"axes {axes!r}: expected some of tp, cp, dp, pp, or some of etp, ep, edp, pp")
        dense = mesh is _DENSE
        names = {"tp": "tp" if dense else "etp", "cp": "cp", "ep": "ep", "dp": "dp" if dense else "edp", "pp": "pp"}
        size = {"tp": self.tp, "cp": self.cp, "dp": self.dp, "pp": self.pp}
        size |= {"etp": self.expert_tp, "ep": self.ep, "edp": self.edp}
        # Slowest axis first, as NumPy's C order wants it.
        order = [names[axis] for axis in reversed(self.order.split("-")) if names[axis] in mesh]
        ranks = np.arange(self.n_ranks, dtype=np.int32).reshape([size[axis] for axis in order])
        outer = [place for place, axis in enumerate(order) if axis not in chosen]
        inner = [place for place, axis in enumerate(order) if axis in chosen]
        n_members = int(np.prod([ranks.shape[place] for place in inner]))
        members = ranks.transpose(outer + inner).reshape(-1)
        return Groups(np.arange(0, self.n_ranks + 1, n_members, dtype=np.int64), members)
