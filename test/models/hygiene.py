# SPDX-License-Identifier: Apache-2.0
"""Rules that every written file keeps; each function gives the breaches as readable lines."""

import numpy as np

import schema

ALIGNMENT = 16
WEIGHT_INPUT = {
    "FULLY_CONNECTED": 1, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1,
    "EMBEDDING_LOOKUP": 1, "BATCH_MATMUL": 1,
}


def unaligned(model):
    """Content starts at multiples of 16 in the file; the runtime reads it in place."""
    for i in range(len(model.t.buffers)):
        start, size, inline = model.placement(i)
        if size and start % ALIGNMENT:
            yield f"buffer {i} ({size} bytes, {'inline' if inline else 'behind'}) is at {start}, {start % ALIGNMENT} over"
        if start is not None and start + size > len(model.raw):
            yield f"buffer {i} runs over the end of the file"


def overlapping(model):
    """No two buffers, and no buffer and the flatbuffer, lie over each other partly."""
    spans = sorted({model.placement(i)[:2] for i in range(len(model.t.buffers)) if model.placement(i)[1]})
    for (a, size), (b, _) in zip(spans, spans[1:]):
        if a + size > b:
            yield f"content at {a} ({size} bytes) and at {b} overlap"
    for i in range(len(model.t.buffers)):
        start, size, inline = model.placement(i)
        if size and not inline and start < model.end:
            yield f"buffer {i} lies inside the flatbuffer"


def dangling(model):
    """Every buffer that is referred to exists."""
    count = len(model.t.buffers)
    for s, graph in enumerate(model.t.subgraphs):
        for i, t in enumerate(graph.tensors):
            if t.buffer >= count:
                yield f"subgraph {s}, tensor {i}: there is no buffer {t.buffer}"
    for i in [m.buffer for m in schema.listed(model.t.metadata)] + schema.listed(model.t.metadataBuffer):
        if i >= count:
            yield f"metadata: there is no buffer {i}"


def orphans(model):
    """Buffers that nothing refers to. Custom operators may refer by number, so these models are let be."""
    codes = model.t.operatorCodes or []
    if any(schema.OP_NAME.get(schema.builtin(c)) == "CUSTOM" for c in codes):
        return
    used = {0} | {t.buffer for g in model.t.subgraphs for t in schema.listed(g.tensors)}
    used |= {m.buffer for m in schema.listed(model.t.metadata)} | set(schema.listed(model.t.metadataBuffer))
    for i in range(len(model.t.buffers)):
        if i not in used:
            yield f"buffer {i} ({len(model.data(i))} bytes) is used by nothing"


def stored_twice(model):
    """Equal constants lie in the file once: two buffers of equal content share its place, or are one."""
    seen = {}
    tensors = [t for g in model.t.subgraphs for t in schema.listed(g.tensors) if model.is_constant(t)]
    for index in sorted({t.buffer for t in tensors}):
        data, place = model.data(index), model.placement(index)[0]
        first = seen.setdefault(data, (index, place))
        if first[1] != place:
            yield f"buffers {first[0]} and {index} hold the same {len(data)} bytes"


def unused_codes(model):
    used = {op.opcodeIndex for g in model.t.subgraphs for op in schema.listed(g.operators)}
    for i, code in enumerate(model.t.operatorCodes or []):
        if i not in used:
            yield f"operator code {i} ({schema.OP_NAME.get(schema.builtin(code))}) is used by no operator"


def inconsistent_codes(model):
    for i, code in enumerate(model.t.operatorCodes or []):
        if code.deprecatedBuiltinCode not in (schema.builtin(code), 127) or code.builtinCode not in (0, schema.builtin(code)):
            yield f"operator code {i}: {code.deprecatedBuiltinCode} and {code.builtinCode}"
        if schema.builtin(code) < 127 and code.deprecatedBuiltinCode != schema.builtin(code):
            yield f"operator code {i}: old runtimes read {code.deprecatedBuiltinCode} instead of {schema.builtin(code)}"


def unordered(model):
    """Operators that come before what they read is made: the runtime would compute garbage."""
    for s, graph in enumerate(model.t.subgraphs):
        made_by = {}
        for o, op in enumerate(schema.listed(graph.operators)):
            for t in schema.listed(op.outputs):
                made_by.setdefault(t, o)
        for o, op in enumerate(schema.listed(graph.operators)):
            for t in schema.listed(op.inputs):
                if t >= 0 and made_by.get(t, -1) >= o and not graph.tensors[t].isVariable:
                    yield f"subgraph {s}: operator {o} reads tensor {t}, which operator {made_by[t]} makes"


def by_channel(name, weight):
    """What counts as quantized by channel: for convolutions also a single channel with its one scale."""
    count, shape = len(schema.scales(weight)), schema.listed(weight.shape)
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return count == shape[0 if name == "CONV_2D" else 3]
    return count > 1


def needed_version(model, graph, op):
    """The least version that the operator's contents need, where quantizing decides it; else 1."""
    name = model.op_name(op)
    inputs = schema.listed(op.inputs)
    if name == "DEQUANTIZE":
        source = graph.tensors[inputs[0]]
        if source.type == schema.FLOAT16:
            return 3
        if source.type == schema.INT8:
            return 5 if by_channel(name, source) else 2
        return 1
    place = WEIGHT_INPUT.get(name)
    if place is None or len(inputs) <= place:
        return 1
    weight = graph.tensors[inputs[place]]
    if weight.type == schema.INT4 and schema.blocks(weight):
        return {"FULLY_CONNECTED": 14, "EMBEDDING_LOOKUP": 5}.get(name, 1)
    data = graph.tensors[inputs[{"TRANSPOSE_CONV": 2}.get(name, 0)]]
    if weight.type != schema.INT8 or (data.type != schema.FLOAT32 and name != "EMBEDDING_LOOKUP"):
        return 1
    channels, options = by_channel(name, weight), op.builtinOptions
    bias = {"TRANSPOSE_CONV": 3}.get(name, 2)
    has_bias = len(inputs) > bias and inputs[bias] >= 0
    if name == "CONV_2D":
        grouped = schema.listed(weight.shape)[3] != schema.listed(data.shape)[3]
        return 6 if grouped else 5 if channels else 2
    if name == "DEPTHWISE_CONV_2D":
        return 6 if channels else 4
    if name == "FULLY_CONNECTED":
        return 12 if channels else 9 if options.asymmetricQuantizeInputs else 3 if len(inputs) == 3 else 6
    if name == "TRANSPOSE_CONV":
        return 4 if options is not None and options.fusedActivationFunction else 3 if has_bias else 2
    if name == "EMBEDDING_LOOKUP":
        return 4 if channels else 1
    return 4 if options.asymmetricQuantizeInputs else 1  # BATCH_MATMUL


def low_versions(model):
    for s, graph in enumerate(model.t.subgraphs):
        for op in schema.listed(graph.operators):
            have, need = model.t.operatorCodes[op.opcodeIndex].version, needed_version(model, graph, op)
            if have < need:
                result = schema.text(graph.tensors[int(op.outputs[0])].name)
                yield f"subgraph {s}, {model.op_name(op)} that makes {result!r}: version {have}, needs {need}"


def bad_blocks(model, graph, tensor):
    """What LiteRT's kernels for int4 in blocks would refuse, or compute garbage from."""
    details, shape = schema.blocks(tensor), schema.listed(tensor.shape)
    if not 0 <= details.scales < len(graph.tensors) or details.blockSize < 32 or shape[-1] % details.blockSize:
        yield f"blocks of {details.blockSize}, scales in tensor {details.scales}"
        return
    scales = graph.tensors[details.scales]
    want = [*shape[:-1], shape[-1] // details.blockSize]
    if scales.type != schema.FLOAT16 or schema.listed(scales.shape) != want or not model.is_constant(scales):
        yield f"its scales are {schema.TYPE_NAME[scales.type]} {schema.listed(scales.shape)}, not FLOAT16 {want}"
        return
    if details.zeroPoints != -1 or tensor.quantization.quantizedDimension != 0 or len(schema.scales(tensor)):
        yield "it has zero points, an axis or more scales"
    steps = model.values(scales).astype(np.float32)
    if not ((steps >= 2.0**-14) & np.isfinite(steps)).all():
        yield "a scale is zero, denormal or no number"
    if len(model.data(tensor.buffer)) * 2 != np.prod(shape):
        yield f"{len(model.data(tensor.buffer))} bytes for {shape}"


def bad_quantization(model):
    """Scales and zero points that the runtime refuses or misreads."""
    for s, graph in enumerate(model.t.subgraphs):
        for i, t in enumerate(graph.tensors):
            scales, shape = schema.scales(t), schema.listed(t.shape)
            where = f"subgraph {s}, tensor {i} {schema.text(t.name)}"
            if schema.blocks(t):
                yield from (f"{where}: {line}" for line in bad_blocks(model, graph, t))
            if not len(scales):
                continue
            if len(schema.zero_points(t)) != len(scales):
                yield f"{where}: {len(scales)} scales, {len(schema.zero_points(t))} zero points"
            axis = t.quantization.quantizedDimension
            if len(scales) > 1 and (axis >= len(shape) or shape[axis] != len(scales)):
                yield f"{where}: {len(scales)} scales along dimension {axis} of {shape}"
            if not (scales >= 1.1754944e-38).all():
                yield f"{where}: a scale is zero, denormal or no number"
            kind = schema.NUMPY_TYPE.get(t.type)
            if kind and model.is_constant(t) and t.sparsity is None:
                want = kind().itemsize
                for size in shape:
                    want *= size
                if len(model.data(t.buffer)) != want:
                    yield f"{where}: {len(model.data(t.buffer))} bytes for {shape}"
