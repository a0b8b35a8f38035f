# SPDX-License-Identifier: Apache-2.0
"""A few lines make a model: used by edge_models.py."""

import numpy as np
from ai_edge_litert import schema_py_generated as tfl

import schema

TYPE = {np.dtype(v): k for k, v in schema.NUMPY_TYPE.items()}
OPTIONS = {k: v for k, v in vars(tfl.BuiltinOptions).items() if not k.startswith("_")}
SEED = 20240607


def weights(*shape, seed=0):
    return np.random.default_rng([SEED, seed]).standard_normal(shape).astype(np.float32)


class Graph:
    """One subgraph. Methods that make a tensor return its index."""

    def __init__(self, model, name=None):
        self.model = model
        self.t = tfl.SubGraphT(tensors=[], inputs=[], outputs=[], operators=[], name=name)

    def tensor(self, name, shape, kind=np.float32, buffer=0, **more):
        self.t.tensors.append(
            tfl.TensorT(name=name, shape=np.array(shape, np.int32), type=TYPE[np.dtype(kind)], buffer=buffer, **more)
        )
        return len(self.t.tensors) - 1

    def const(self, name, values, **more):
        values = np.ascontiguousarray(values)
        return self.tensor(name, values.shape, values.dtype, self.model.buffer(values), **more)

    def op(self, name, inputs, outputs, options=None, version=1, **more):
        kind = OPTIONS[type(options).__name__.removesuffix("T")] if options else 0
        self.t.operators.append(
            tfl.OperatorT(
                opcodeIndex=self.model.code(name, version), inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32), builtinOptionsType=kind, builtinOptions=options, **more,
            )
        )
        return self.t.operators[-1]

    def fc(self, x, w, out, bias=-1, **options):
        return self.op("FULLY_CONNECTED", [x, w, bias], [out], tfl.FullyConnectedOptionsT(**options))

    def dequantize(self, name, values, maker="DEQUANTIZE"):
        """A float16 constant and the float32 tensor that DEQUANTIZE makes of it."""
        half = self.const(name + "_half", values.astype(np.float16))
        out = self.tensor(name, values.shape)
        self.op(maker, [half], [out], tfl.DequantizeOptionsT(), version=3)
        return out

    def io(self, inputs, outputs):
        self.t.inputs, self.t.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)


class Builder:
    def __init__(self):
        self.t = tfl.ModelT(
            version=3, operatorCodes=[], subgraphs=[], buffers=[tfl.BufferT()], description="made for a test"
        )

    def graph(self, name=None):
        graph = Graph(self, name)
        self.t.subgraphs.append(graph.t)
        return graph

    def buffer(self, values):
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.t.buffers.append(tfl.BufferT(data=data))
        return len(self.t.buffers) - 1

    def code(self, name, version=1):
        builtin = schema.OP_CODE.get(name, schema.OP_CODE["CUSTOM"])
        custom = None if name in schema.OP_CODE else name
        for i, code in enumerate(self.t.operatorCodes):
            if (code.builtinCode, code.customCode, code.version) == (builtin, custom, version):
                return i
        self.t.operatorCodes.append(
            tfl.OperatorCodeT(
                deprecatedBuiltinCode=min(builtin, 127), builtinCode=builtin, customCode=custom, version=version
            )
        )
        return len(self.t.operatorCodes) - 1

    def signature(self, key, graph, subgraph=0):
        names = lambda ids: [tfl.TensorMapT(name=graph.t.tensors[i].name, tensorIndex=int(i)) for i in ids]
        self.t.signatureDefs = (self.t.signatureDefs or []) + [
            tfl.SignatureDefT(
                inputs=names(graph.t.inputs), outputs=names(graph.t.outputs), signatureKey=key, subgraphIndex=subgraph
            )
        ]

    def metadata(self, name, content):
        self.t.metadata = (self.t.metadata or []) + [
            tfl.MetadataT(name=name, buffer=self.buffer(np.frombuffer(content, np.uint8)))
        ]

    def pack(self):
        return schema.pack(self.t)

    def pack_behind(self, tail, fill):
        """The file with `tail` behind the flatbuffer; `fill(start)` puts its address into the objects."""
        fill(1 << 20)  # any address: a 64-bit field has the same size whatever it holds
        length = len(self.pack())
        start = (length + 15) // 16 * 16
        fill(start)
        packed = self.pack()
        assert len(packed) == length
        return packed + bytes(start - length) + tail
