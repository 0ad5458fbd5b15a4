"""A flat map of some embeddings by t-SNE (van der Maaten, Hinton, JMLR 2008), as scikit-learn computes it.

Neighbours on the map are mostly neighbours among the vectors. Distances between groups, and the sizes of groups, mean
nothing.
"""

from __future__ import annotations

import numpy as np

from tapetum.core import FloatArray, IntArray, Modality
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.diagnosis import persons_of, unit_vectors

MOST = 1000
_EACH = 12  # crops of one person in one modality
_PERPLEXITY = 30
_FEWEST = 10


def draw_crops(table: EmbeddingTable, seed: int, most: int = MOST) -> IntArray:
    """Rows of at most `most` crops, person by person in an order drawn by `seed`: up to 12 of each modality each.

    Persons are drawn whole, so that those on the map have their neighbours there. Unknown persons have no part.
    """
    random = np.random.default_rng(seed)
    persons = persons_of(table)
    infrared = np.array([crop.modality is Modality.IR for crop in table.crops], dtype=np.bool_)
    drawn: list[IntArray] = []
    for person in random.permutation(np.unique(persons[persons >= 0])):
        sides = [random.permutation(np.flatnonzero((persons == person) & (infrared == side))) for side in (False, True)]
        rows = np.sort(np.concatenate([side[:_EACH] for side in sides]))
        if sum(map(len, drawn)) + len(rows) > most:
            break
        drawn.append(rows)
    return np.concatenate(drawn) if drawn else np.empty(0, dtype=np.int64)


def embedding_map(table: EmbeddingTable, rows: IntArray, seed: int) -> FloatArray | None:
    """(R, 2): places of these rows' vectors, brought to length 1; None for fewer than 10 rows or 2 dimensions.

    On one thread, and from the two main directions of the vectors: the same rows and seed give the same map.
    """
    if len(rows) < _FEWEST or table.vectors.shape[1] < 2:
        return None
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(1):
        placed = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1).fit_transform(
            unit_vectors(table, rows)
        )
    found: FloatArray = placed.astype(np.float64)
    return found
