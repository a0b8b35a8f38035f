# SPDX-License-Identifier: Apache-2.0
"""A model that breaks each rule of hygiene.py, to see that the rules see."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import Builder, weights


def build():
    b = Builder()
    g = b.graph("main")
    x, m, y = g.tensor("x", [1, 64]), g.tensor("m", [1, 64]), g.tensor("y", [1, 64])
    scales = np.full(64, 0.01, np.float32)
    scales[3] = 0
    quantization = tfl.QuantizationParametersT(scale=scales, zeroPoint=np.zeros(64, np.int64))
    w = g.const("w", (weights(64, 64) * 40).astype(np.int8), quantization=quantization)
    g.fc(m, w, y)  # reads m before it is made; int8 per channel in a version 1 operator
    g.op("ADD", [x, g.const("same", weights(1, 64))], [m], tfl.AddOptionsT())
    g.const("same again", weights(1, 64))
    g.io([x], [y])
    b.buffer(weights(1, 8))
    b.code("SOFTMAX")
    b.t.metadataBuffer = [99]
    b.t.operatorCodes[0].deprecatedBuiltinCode = 0
    half_over = b.t.buffers[-1]
    half_over.data = None

    def fill(start):
        half_over.offset, half_over.size = start - 4, 8  # ends behind the flatbuffer, not aligned

    return b.pack_behind(bytes(16), fill)
