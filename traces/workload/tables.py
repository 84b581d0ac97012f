"""Embedding tables over ranks: what each rank has and gets."""

import numpy as np

from collectives.demand import FloatVector
from traces.workload.description import Embeddings


def table_shares(embeddings: Embeddings, ranks: int) -> tuple[FloatVector, FloatVector]:
    """Shares of the tables, and of the lookups in them, of each rank over the mean, both (ranks,) float64, mean 1.

    A rank has consecutive tables; where they do not divide, the first ranks have one more.

    >>> from traces.workload.description import Embeddings
    >>> owned, looked_up = table_shares(Embeddings(tables=3, dim=1, lookups=[1.0, 2.0, 3.0]), 2)
    >>> owned.tolist(), looked_up.tolist()
    ([1.3333333333333333, 0.6666666666666666], [1.0, 1.0])
    """
    given = np.array(embeddings.lookups, np.float64)
    lookups = np.broadcast_to(given, embeddings.tables)
    parts = np.array_split(lookups, ranks)
    owned: FloatVector = np.array([part.size for part in parts], np.float64) * (ranks / embeddings.tables)
    looked_up: FloatVector = np.array([part.sum() for part in parts]) * (ranks / lookups.sum())
    return owned, looked_up
