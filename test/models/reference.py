# SPDX-License-Identifier: Apache-2.0
"""litert-quantizer's result, on the model as it is or folded to what litert-quantizer can read."""

import contextlib
import functools
import hashlib
import importlib.metadata
import io

import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from litert_quantizer import quantizer, recipe

import places
import schema
import sparse

RECIPES = ("dynamic_wi8_afp32", "weight_only_wi8_afp32")


def fold(raw):
    """The same model in plain float32: constants behind DEQUANTIZE and DENSIFY unpacked, operator codes
    filled in, names unique, everything inline. Tensor indices stay. Only float16 and sparse
    constants are unpacked: what is quantized already stays."""
    source = schema.Model(raw)
    model = source.t
    for i, buffer in enumerate(model.buffers):
        data = source.data(i)
        buffer.data = np.frombuffer(data, np.uint8).copy() if data else None
        buffer.offset = buffer.size = 0
    for code in model.operatorCodes:
        code.builtinCode = schema.builtin(code)
    for graph in model.subgraphs:
        _fold_graph(source, graph)
        for op in schema.listed(graph.operators):
            if op.largeCustomOptionsOffset > 1:
                op.customOptions = np.frombuffer(source.large_custom_options(op), np.uint8).copy()
                op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0
    _drop_unused_buffers(model)
    _make_names_unique(model)
    return schema.pack(model)


def _fold_graph(source, graph):
    model, values = source.t, {}
    for i, tensor in enumerate(graph.tensors):
        if source.is_constant(tensor) and tensor.type in (schema.FLOAT32, schema.FLOAT16):
            stored = np.frombuffer(source.data(tensor.buffer), schema.NUMPY_TYPE[tensor.type])
            if tensor.sparsity is not None:
                values[i] = sparse.densify(stored, schema.listed(tensor.shape), tensor.sparsity)
                if tensor.type == schema.FLOAT32:
                    _set_constant(model, tensor, values[i])
            else:
                values[i] = stored
    kept = []
    for op in schema.listed(graph.operators):
        name, inputs = source.op_name(op), schema.listed(op.inputs)
        if name in ("DEQUANTIZE", "DENSIFY") and inputs[0] in values:
            out = graph.tensors[int(op.outputs[0])]
            values[int(op.outputs[0])] = values[inputs[0]]
            if out.type == schema.FLOAT32:
                _set_constant(model, out, values[inputs[0]])
        else:
            kept.append(op)
    graph.operators = kept


def _set_constant(model, tensor, values):
    tensor.buffer, tensor.sparsity, tensor.type = len(model.buffers), None, schema.FLOAT32
    data = np.frombuffer(np.ascontiguousarray(values.astype(np.float32)).tobytes(), np.uint8)
    for i, buffer in enumerate(model.buffers):  # constants that share a buffer go on sharing it
        if i and buffer.data is not None and len(buffer.data) == len(data) and (buffer.data == data).all():
            tensor.buffer = i
            return
    model.buffers.append(tfl.BufferT(data=data))


def _drop_unused_buffers(model):
    read = {0}
    for graph in model.subgraphs:
        wanted = {i for op in schema.listed(graph.operators) for i in schema.listed(op.inputs) if i >= 0}
        wanted |= set(schema.listed(graph.inputs)) | set(schema.listed(graph.outputs))
        for i, tensor in enumerate(graph.tensors):
            if i not in wanted and tensor.type in (schema.FLOAT16, schema.FLOAT32):
                tensor.buffer, tensor.sparsity = 0, None
            read.add(tensor.buffer)
    read |= {m.buffer for m in schema.listed(model.metadata)}
    for i, buffer in enumerate(model.buffers):
        if i not in read:
            buffer.data = None


def _make_names_unique(model):
    seen = set()
    for s, graph in enumerate(model.subgraphs):
        for i, tensor in enumerate(graph.tensors):
            name = schema.text(tensor.name)
            readable = name.isprintable() and len(name) < 500
            if not name or name in seen or not readable:
                name = f"{name if readable else 'tensor'}__{s}_{i}"
            seen.add(name)
            tensor.name = name


def folded_path(raw):
    path = places.CACHE / "folded" / (hashlib.sha256(raw).hexdigest() + ".tflite")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fold(raw))
    return path


@functools.lru_cache(maxsize=400)
def quantize(raw, name):
    """(the bytes that litert-quantizer makes of the folded model, None) or (None, what it says)."""
    folded = folded_path(raw).read_bytes()
    version = importlib.metadata.version("litert-quantizer")
    key = hashlib.sha256(folded + f"{name} {version}".encode()).hexdigest()
    path = places.CACHE / "litert-quantizer" / f"{key}.tflite"
    failure = path.with_suffix(".txt")
    if failure.exists():
        return None, failure.read_text()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                run = quantizer.Quantizer(folded)
                run.load_quantization_recipe(getattr(recipe, name)())
                result = run.quantize().quantized_model
        except Exception as error:  # what it can't do is data here
            failure.write_text(f"{type(error).__name__}: {error}")
            return None, failure.read_text()
        path.write_bytes(result)
    return path.read_bytes(), None
