# SPDX-License-Identifier: Apache-2.0
"""Models rewritten so that their outputs can be compared. It is done to an original and to what was made of
it alike, after quantizing, so the quantizer has seen the model as it is.

MediaPipe's custom operator Convolution2DTransposeBias, which LiteRT does not have, is a transposed convolution
with a bias: TRANSPOSE_CONV takes its place. An untrained classifier's SOFTMAX gives the same for any picture:
what goes into it is looked at."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

import schema

CUSTOM = "Convolution2DTransposeBias"
PADDINGS = {1: tfl.Padding.SAME, 2: tfl.Padding.VALID}
UNTRAINED = "keras/mobilenet_"


def remark(name, raw):
    """What is done to the model; None: nothing."""
    if CUSTOM.encode() in raw and _custom_codes(schema.Model(raw).t):
        return f"TRANSPOSE_CONV in place of {CUSTOM}"
    return "before the SOFTMAX" if name.startswith(UNTRAINED) else None


def view(name, raw):
    """The model to look at in place of `raw`; `name` is the original's."""
    if remark(name, raw) is None:
        return raw
    source = schema.Model(raw)
    model = source.t
    for i, buffer in enumerate(model.buffers):
        data = source.data(i)
        buffer.data = np.frombuffer(data, np.uint8) if data else None
        buffer.offset = buffer.size = 0
    if name.startswith(UNTRAINED):
        _look_before_softmax(source)
    else:
        _replace_custom(model)
    return schema.pack(model)


def _look_before_softmax(source):
    graph = source.t.subgraphs[0]
    last = graph.operators[-1]
    assert source.op_name(last) == "SOFTMAX" and list(last.outputs) == list(graph.outputs)
    graph.outputs = np.array(last.inputs, np.int32)
    graph.operators.pop()
    source.t.signatureDefs = None


def _custom_codes(model):
    return [i for i, code in enumerate(model.operatorCodes) if schema.text(code.customCode) == CUSTOM]


def _replace_custom(model):
    codes = _custom_codes(model)
    for i in codes:
        code = model.operatorCodes[i]
        code.builtinCode = code.deprecatedBuiltinCode = schema.OP_CODE["TRANSPOSE_CONV"]
        code.customCode, code.version = None, 3
    for graph in model.subgraphs:
        for op in graph.operators:
            if op.opcodeIndex in codes:
                _become_builtin(model, graph, op)


def _become_builtin(model, graph, op):
    values, weights, bias = schema.listed(op.inputs)
    shape = np.array(schema.listed(graph.tensors[int(op.outputs[0])].shape), np.int32)
    model.buffers.append(tfl.BufferT(data=np.frombuffer(shape.tobytes(), np.uint8)))
    graph.tensors.append(
        tfl.TensorT(
            name="stand_in_shape", shape=np.array([4], np.int32), type=schema.INT32, buffer=len(model.buffers) - 1
        )
    )
    padding, width, height = np.frombuffer(bytes(bytearray(schema.listed(op.customOptions))), "<i4").tolist()
    op.inputs = np.array([len(graph.tensors) - 1, weights, values, bias], np.int32)
    op.builtinOptionsType = tfl.BuiltinOptions.TransposeConvOptions
    op.builtinOptions = tfl.TransposeConvOptionsT(padding=PADDINGS[padding], strideW=width, strideH=height)
    op.customOptions = None
