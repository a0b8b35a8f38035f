# SPDX-License-Identifier: Apache-2.0
"""TFLite's sparse constants: to dense, and (for the generated models) from dense."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

DENSE, CSR = tfl.DimensionType.DENSE, tfl.DimensionType.SPARSE_CSR


def _numbers(vector):
    return np.asarray(vector.values, np.int64)


def densify(values, shape, sparsity):
    """The dense array of `shape` that the stored `values` and the sparsity table stand for."""
    order = [int(i) for i in sparsity.traversalOrder]
    blocked = [int(i) for i in sparsity.blockMap] if sparsity.blockMap is not None else []
    rank = len(shape)
    block = [1] * rank
    for i, dimension in enumerate(blocked):
        block[dimension] = sparsity.dimMetadata[rank + i].denseSize
    # One entry a path through the levels so far: where its values lie, and its coordinate on each level.
    position, coordinates = np.zeros(1, np.int64), []
    for meta in sparsity.dimMetadata:
        if meta.format == DENSE:
            count = np.full(len(position), meta.denseSize)
            coordinate = np.tile(np.arange(meta.denseSize), len(position))
            start = position * meta.denseSize
        else:
            segments = _numbers(meta.arraySegments)
            start = segments[position]
            count = segments[position + 1] - start
        first = np.cumsum(count) - count
        coordinates = [np.repeat(c, count) for c in coordinates]
        position = np.repeat(start - first, count) + np.arange(count.sum())
        coordinates.append(coordinate if meta.format == DENSE else _numbers(meta.arrayIndices)[position])
    place = [np.zeros(len(position), np.int64) for _ in shape]
    for coordinate, axis in zip(coordinates, order):
        if axis < rank:
            place[axis] += coordinate * block[axis]
        else:
            place[blocked[axis - rank]] += coordinate
    out = np.zeros(shape, values.dtype)
    out[tuple(place)] = values[position]
    return out


def sparsify(dense, block=None):
    """(values, SparsityParametersT) of a matrix: rows dense, columns CSR, in 1 x `block` blocks."""
    rows, columns = dense.shape
    width = block or 1
    segments, indices, values = [0], [], []
    for r in range(rows):
        for c in range(0, columns, width):
            part = dense[r, c : c + width]
            if part.any():
                indices.append(c // width)
                values.extend(part.tolist())
        segments.append(len(indices))
    as_vector = lambda v: tfl.Int32VectorT(np.array(v, np.int32))
    kind = tfl.SparseIndexVector.Int32Vector
    levels = [
        tfl.DimensionMetadataT(format=DENSE, denseSize=rows),
        tfl.DimensionMetadataT(
            format=CSR, arraySegmentsType=kind, arraySegments=as_vector(segments),
            arrayIndicesType=kind, arrayIndices=as_vector(indices),
        ),
    ]
    table = tfl.SparsityParametersT(traversalOrder=[0, 1], dimMetadata=levels)
    if block:
        table.traversalOrder, table.blockMap = [0, 1, 2], [1]
        levels.append(tfl.DimensionMetadataT(format=DENSE, denseSize=block))
    return np.array(values, dense.dtype), table
