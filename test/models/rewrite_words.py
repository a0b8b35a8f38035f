# SPDX-License-Identifier: Apache-2.0
"""Words for the generated models of rewrites, and the lists of them.

APPLIES: (rewrite, name, function giving the bytes, operators afterwards); STAYS: (rewrite, name, function)."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

from graph_builder import Builder

APPLIES, STAYS = [], []


def applies(rewrite, *after):
    """The rewrite leaves these operators."""

    def add(function):
        APPLIES.append((rewrite, function.__name__, function, list(after)))
        return function

    return add


def stays(rewrite):
    def add(function):
        STAYS.append((rewrite, function.__name__, function))
        return function

    return add


class Model(Builder):
    """One graph whose ends are given at last."""

    def __init__(self):
        super().__init__()
        self.g = self.graph("main")
        self.tensor, self.op = self.g.tensor, self.g.op

    def const(self, name, values, **more):
        """Also of rank 0."""
        values = np.asarray(values)
        return self.tensor(name, values.shape, values.dtype, self.buffer(values), **more)

    def ints(self, name, *values, kind=np.int32):
        return self.const(name, np.array(values, kind))

    def done(self, inputs, outputs):
        self.g.io(inputs, outputs)
        self.signature("serve", self.g)
        self.metadata("note", b"any bytes")
        return self.pack()


def per_tensor(scale, zero):
    return tfl.QuantizationParametersT(scale=np.array([scale], np.float32), zeroPoint=np.array([zero], np.int64))


KINDS = {"f32": np.float32, "i32": np.int32, "i64": np.int64, "bool": np.bool_, "i8": np.int8, "u8": np.uint8}


def quantization(kind, scale=0.05):
    return {"quantization": per_tensor(scale, 3)} if kind in (np.int8, np.uint8) else {}


def broadcast(m, x, shape, kind=np.float32, name="wide", width=np.int32):
    wide = m.tensor(name, shape, kind, **quantization(kind))
    m.op("BROADCAST_TO", [x, m.ints(name + "_to", *shape, kind=width)], [wide], tfl.BroadcastToOptionsT(), version=3 if kind == np.int8 else 2)
    return wide


def ints(*values):
    return np.array(values, np.int32)
