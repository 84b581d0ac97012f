"""When a rank's GPU computes and when it communicates, as a profiler saw it: what of communication is exposed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Spans = npt.NDArray[np.float64]
"""(n, 2): beginnings and ends, seconds."""


@dataclass(frozen=True, eq=False)
class GpuTime:
    """What a rank's GPU did.

    Attributes
    ----------
    rank : int or None
        None where its file does not say.
    compute, communication : (n, 2) float64
        Apart from one another and in order; seconds on the clock of the operations' starts.
    """

    rank: int | None
    compute: Spans
    communication: Spans

    @property
    def span_s(self) -> float:
        """From the first kernel to the end of the last."""
        both = np.concatenate([self.compute, self.communication])
        return float(both[:, 1].max() - both[:, 0].min()) if both.size else 0.0

    @property
    def exposed_s(self) -> float:
        """Communication while nothing computes."""
        return uncovered_s(self.communication, self.compute)


def joined(spans: Spans) -> Spans:
    """What spans cover, in order and apart from one another.

    >>> joined(np.array([[4.0, 5.0], [0.0, 2.0], [1.0, 3.0]])).tolist()
    [[0.0, 3.0], [4.0, 5.0]]
    """
    spans = spans.reshape(-1, 2)
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    end = np.maximum.accumulate(spans[:, 1])
    first = np.flatnonzero(np.concatenate([[True], spans[1:, 0] > end[:-1]]))
    last = np.concatenate([first[1:] - 1, [len(spans) - 1]])
    return np.column_stack([spans[first, 0], end[last]])


def uncovered_s(spans: Spans, cover: Spans) -> float:
    """How long `spans` last where `cover` does not; both apart from one another and in order.

    >>> uncovered_s(np.array([[0.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 9.0]]))
    2.0
    """
    total = float((spans[:, 1] - spans[:, 0]).sum())
    if not len(cover) or not len(spans):
        return total
    # Of the cover, so much lies before each of its edges; in between it grows evenly or not at all.
    lasted = cover[:, 1] - cover[:, 0]
    before = np.column_stack([np.cumsum(lasted) - lasted, np.cumsum(lasted)]).ravel()
    covered = np.interp(spans.ravel(), cover.ravel(), before).reshape(-1, 2)
    return max(0.0, total - float((covered[:, 1] - covered[:, 0]).sum()))
