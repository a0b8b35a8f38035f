# SPDX-License-Identifier: Apache-2.0
"""The float values that an operator gets from a constant, however it is stored, and how far they may move."""

import numpy as np

import schema
import sparse

UNPACKING = ("DEQUANTIZE", "DENSIFY")


def stored(model, s, index):
    """The constant behind a tensor, through DEQUANTIZE and DENSIFY; None for one that is computed."""
    graph = model.t.subgraphs[s]
    while True:
        tensor = graph.tensors[index]
        if model.is_constant(tensor):
            return tensor
        maker = next((o for o in schema.listed(graph.operators) if index in schema.listed(o.outputs)), None)
        if maker is None or model.op_name(maker) not in UNPACKING:
            return None
        index = int(maker.inputs[0])


def values(model, tensor):
    """(float32 values, half of the quantization step or None) of a stored constant."""
    if tensor.type == schema.INT4 and schema.blocks(tensor):
        return block_values(model, tensor)
    raw = np.frombuffer(model.data(tensor.buffer), schema.NUMPY_TYPE[tensor.type])
    shape = schema.listed(tensor.shape)
    raw = sparse.densify(raw, shape, tensor.sparsity) if tensor.sparsity is not None else raw.reshape(shape)
    if tensor.type != schema.INT8:
        return raw.astype(np.float32), None
    scales = schema.scales(tensor)
    steps = scales if len(scales) == 1 else scales.reshape(
        [-1 if d == tensor.quantization.quantizedDimension else 1 for d in range(len(shape))]
    )
    return raw.astype(np.float32) * steps, steps / 2


def block_values(model, tensor):
    """int4 with a scale for every few weights of a row."""
    details, shape = schema.blocks(tensor), schema.listed(tensor.shape)
    graph = next(g for g in model.t.subgraphs if any(t is tensor for t in g.tensors))
    steps = np.repeat(model.values(graph.tensors[details.scales]).astype(np.float32), details.blockSize, -1)
    return schema.nibbles(model.data(tensor.buffer)).reshape(shape) * steps, steps / 2


def differences(original, result, s, before, after, refined=False):
    """What moved further than the type of the result explains; nothing for tensors that are computed.

    `refined`: weights may be rounded to other codes than the nearest, and biases be corrected."""
    old, new = stored(original, s, before), stored(result, s, after)
    if (old is None) != (new is None):
        yield "a constant became computed" if new is None else "a computed tensor became a constant"
        return
    if old is None:
        if original.tensor(s, before).type != result.tensor(s, after).type:
            yield "the type of a computed tensor changed"
        return
    if old.type not in (schema.FLOAT32, schema.FLOAT16):
        return  # compared byte by byte elsewhere
    want, _ = values(original, old)
    have, half_step = values(result, new)
    if refined and new.type in (schema.FLOAT32, schema.INT8):
        # Of weights only: most of what they are must still be there.
        wrong = np.array([new.type == schema.INT8 and np.sum((want - have) ** 2) > np.sum(want**2) / 300])
    elif half_step is not None:
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(want - have) <= half_step * 1.0001)
    elif new.type == schema.FLOAT16:
        wrong = have != want.astype(np.float16).astype(np.float32)
    else:
        wrong = have.view(np.uint32) != want.view(np.uint32)
    if wrong.any():
        kind = schema.TYPE_NAME[new.type]
        yield f"{int(wrong.sum())} of {wrong.size} values are further from the original than {kind} explains"
