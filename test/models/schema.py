# SPDX-License-Identifier: Apache-2.0
"""The TFLite schema as Python objects: read a file, find its buffers' bytes, compare two files."""

import contextlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from flatbuffers import flexbuffers, table

OP_NAME = {v: k for k, v in vars(tfl.BuiltinOperator).items() if not k.startswith("_")}
OP_CODE = {v: k for k, v in OP_NAME.items()}
TYPE_NAME = {v: k for k, v in vars(tfl.TensorType).items() if not k.startswith("_")}
FLOAT32, FLOAT16, INT4, INT8, INT32 = (
    getattr(tfl.TensorType, n) for n in ("FLOAT32", "FLOAT16", "INT4", "INT8", "INT32")
)
NUMPY_TYPE = {
    tfl.TensorType.FLOAT32: np.float32, tfl.TensorType.FLOAT16: np.float16,
    tfl.TensorType.INT8: np.int8, tfl.TensorType.UINT8: np.uint8, tfl.TensorType.INT16: np.int16,
    tfl.TensorType.INT32: np.int32, tfl.TensorType.INT64: np.int64, tfl.TensorType.BOOL: np.bool_,
    tfl.TensorType.UINT32: np.uint32, tfl.TensorType.FLOAT64: np.float64,
}


@contextlib.contextmanager
def _record_extent(ends):
    """While inside, every read through flatbuffers notes where what it read ends."""
    cls = table.Table
    old = {n: getattr(cls, n) for n in ("Offset", "String", "VectorLen", "Get", "GetVectorAsNumpy")}

    def offset(self, slot):
        vtable = self.Pos - old["Get"](self, flatbuffers.number_types.SOffsetTFlags, self.Pos)
        length = old["Get"](self, flatbuffers.number_types.VOffsetTFlags, vtable)
        ends.append(vtable + length)
        size = old["Get"](self, flatbuffers.number_types.VOffsetTFlags, vtable + 2)
        ends.append(self.Pos + size)
        return old["Offset"](self, slot)

    def string(self, off):
        text = old["String"](self, off)
        ends.append(self.Indirect(off) + 4 + len(text) + 1)
        return text

    def vector_len(self, off):
        count = old["VectorLen"](self, off)
        ends.append(self.Indirect(off + self.Pos) + 4 + count)  # at least one byte each
        return count

    def get(self, flags, off):
        ends.append(off + flags.bytewidth)
        return old["Get"](self, flags, off)

    def get_vector(self, flags, off):
        values = old["GetVectorAsNumpy"](self, flags, off)
        ends.append(self.Vector(off) + values.nbytes)
        return values

    try:
        cls.Offset, cls.String, cls.VectorLen = offset, string, vector_len
        cls.Get, cls.GetVectorAsNumpy = get, get_vector
        yield
    finally:
        for name, method in old.items():
            setattr(cls, name, method)


class Model:
    """A .tflite: `raw` bytes, `t` (ModelT), and what the object API does not give."""

    def __init__(self, raw):
        self.raw = bytes(raw)
        assert self.raw[4:8] == b"TFL3", "no TFL3 identifier"
        ends = [0]
        with _record_extent(ends):
            self.t = tfl.ModelT.InitFromPackedBuf(self.raw, 0)
        self.end = max(ends)
        assert self.end <= len(self.raw), "the flatbuffer runs over the end of the file"
        self.root = tfl.Model.GetRootAs(self.raw, 0)

    @classmethod
    def read(cls, path):
        with open(path, "rb") as f:
            return cls(f.read())

    def placement(self, index):
        """(absolute address, size, is inline) of a buffer's bytes; (None, 0, False): it has none."""
        assert index < len(self.t.buffers), f"there is no buffer {index}, only {len(self.t.buffers)}"
        buffer = self.root.Buffers(index)
        if not buffer.DataIsNone():
            tab = buffer._tab
            return tab.Vector(tab.Offset(4)), buffer.DataLength(), True
        if buffer.Offset() > 1:
            return buffer.Offset(), buffer.Size(), False
        return None, 0, False

    def data(self, index):
        start, size, _ = self.placement(index)
        return self.raw[start : start + size] if start is not None else b""

    def large_custom_options(self, op):
        return self.raw[op.largeCustomOptionsOffset : op.largeCustomOptionsOffset + op.largeCustomOptionsSize]

    def bytecode_ranges(self):
        """(subgraph, op, offset, size) of accelerator byte code that custom options point to."""
        for s, graph in enumerate(self.t.subgraphs or []):
            for o, op in enumerate(listed(graph.operators)):
                point = bytecode(op)
                if point:
                    yield s, o, point["bytecode_offset"], point["bytecode_size"]

    def trailing(self):
        """Content behind the flatbuffer that no buffer or operator refers to, padding stripped.

        A list of byte strings, one per gap, in file order."""
        taken = [(0, self.end)]
        for i in range(len(self.t.buffers or [])):
            start, size, inline = self.placement(i)
            if start is not None and not inline:
                taken.append((start, start + size))
        for graph in self.t.subgraphs or []:
            for op in listed(graph.operators):
                if op.largeCustomOptionsOffset > 1:
                    taken.append((op.largeCustomOptionsOffset, op.largeCustomOptionsOffset + op.largeCustomOptionsSize))
        taken += [(offset, offset + size) for _, _, offset, size in self.bytecode_ranges()]
        gaps, at = [], 0
        for start, stop in sorted(taken) + [(len(self.raw), len(self.raw))]:
            if start > at:
                gaps.append(self.raw[at:start].strip(b"\0"))
            at = max(at, stop)
        return [g for g in gaps if g]

    def tensor(self, subgraph, index):
        return self.t.subgraphs[subgraph].tensors[index]

    def opcode(self, op):
        return builtin(self.t.operatorCodes[op.opcodeIndex])

    def op_name(self, op):
        code = self.t.operatorCodes[op.opcodeIndex]
        if builtin(code) == tfl.BuiltinOperator.CUSTOM:
            return "CUSTOM:" + text(code.customCode)
        return OP_NAME.get(builtin(code), str(builtin(code)))

    def is_constant(self, tensor):
        start, size, _ = self.placement(tensor.buffer)
        return bool(start) and size > 0 and tensor.buffer != 0

    def values(self, tensor):
        """The constant as a numpy array of its type and shape (dense types only)."""
        kind = NUMPY_TYPE[tensor.type]
        return np.frombuffer(self.data(tensor.buffer), kind).reshape(listed(tensor.shape))


def builtin(code):
    return max(code.deprecatedBuiltinCode, code.builtinCode)


def listed(values):
    return [] if values is None else [v if not isinstance(v, np.generic) else v.item() for v in values]


def text(name):
    return "" if name is None else name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def scales(tensor):
    q = tensor.quantization
    return np.asarray(listed(q.scale), np.float32) if q is not None and q.scale is not None else np.zeros(0, np.float32)


def zero_points(tensor):
    q = tensor.quantization
    return listed(q.zeroPoint) if q is not None else []


def blocks(tensor):
    """BlockwiseQuantization of a tensor, or None."""
    q = tensor.quantization
    found = q is not None and q.detailsType == tfl.QuantizationDetails.BlockwiseQuantization
    return q.details if found else None


def nibbles(data):
    """int4 codes as int8, the first of each byte in its low bits."""
    raw = np.frombuffer(data, np.uint8)
    codes = np.stack([raw & 15, raw >> 4], -1).reshape(-1).astype(np.int8)
    return np.where(codes > 7, codes - 16, codes).astype(np.int8)


def bytecode(op):
    """The map in a custom operator's options, if it points to accelerator byte code in the file."""
    if op.customOptions is None or len(op.customOptions) < 3:
        return None
    raw = bytes(bytearray(listed(op.customOptions)))
    if b"bytecode_offset" not in raw:
        return None
    options = flexbuffers.Loads(raw)
    return options if isinstance(options, dict) and {"bytecode_offset", "bytecode_size"} <= set(options) else None


def pack(model):
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def compare(a, b):
    """Differences between two Models, field by field, as readable lines; [] means equal."""
    out = []
    _compare_buffers(a, b, out)
    _walk(a, b, a.t, b.t, "model", out)
    return out


def _compare_buffers(a, b, out):
    na, nb = len(a.t.buffers or []), len(b.t.buffers or [])
    for i in range(min(na, nb)):
        if a.data(i) != b.data(i):
            out.append(f"buffers[{i}]: content differs ({len(a.data(i))} and {len(b.data(i))} bytes)")
        elif a.placement(i)[0] is None and b.placement(i)[0] is not None:
            out.append(f"buffers[{i}]: got an empty data vector that was not there")
        elif a.placement(i)[0] is not None and b.placement(i)[0] is None:
            out.append(f"buffers[{i}]: lost its empty data vector")


def _walk(a, b, x, y, path, out):
    if type(x) is not type(y) and not (_vector(x) and _vector(y)):
        out.append(f"{path}: {x!r:.60} and {y!r:.60}")
    elif isinstance(x, tfl.BufferT):
        pass  # by content, above
    elif isinstance(x, tfl.OperatorT):
        _compare_custom_options(a, b, x, y, path, out)
        skip = ("customOptions", "largeCustomOptionsOffset", "largeCustomOptionsSize")
        for key in vars(x):
            if key not in skip:
                _walk(a, b, getattr(x, key), getattr(y, key), f"{path}.{key}", out)
    elif hasattr(x, "__dict__"):
        for key in vars(x):
            _walk(a, b, getattr(x, key), getattr(y, key), f"{path}.{key}", out)
    elif _vector(x):
        if len(x) != len(y):
            out.append(f"{path}: {len(x)} and {len(y)} items")
        elif isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            if x.dtype != y.dtype or x.tobytes() != y.tobytes():
                out.append(f"{path}: {x!r:.60} and {y!r:.60}")
        else:
            for i, (p, q) in enumerate(zip(x, y)):
                _walk(a, b, p, q, f"{path}[{i}]", out)
    elif x != y and not (x != x and y != y):
        out.append(f"{path}: {x!r:.60} and {y!r:.60}")


def _vector(x):
    return isinstance(x, (list, np.ndarray))


def _compare_custom_options(a, b, x, y, path, out):
    if a.large_custom_options(x) != b.large_custom_options(y):
        out.append(f"{path}: large custom options differ")
    p, q = (None if o.customOptions is None else bytes(bytearray(listed(o.customOptions))) for o in (x, y))
    if bytecode(x):
        m, n = bytecode(x), bytecode(y)
        if n is None:
            out.append(f"{path}: custom options no longer point to byte code")
            return
        if {k: v for k, v in m.items() if k != "bytecode_offset"} != {k: v for k, v in n.items() if k != "bytecode_offset"}:
            out.append(f"{path}: custom options differ beside bytecode_offset")
        one, two = (f.raw[o["bytecode_offset"] :][: o["bytecode_size"]] for f, o in ((a, m), (b, n)))
        if one != two or len(one) != m["bytecode_size"]:
            out.append(f"{path}: the byte code that the options point to differs")
        if m["bytecode_offset"] == n["bytecode_offset"] and p != q:
            out.append(f"{path}: custom options differ though the byte code did not move")
    elif p != q:
        out.append(f"{path}: custom options differ")


def release(raw):
    """The numbers in the metadata "min_runtime_version"."""
    return tuple(int(n) for n in bytes(raw).rstrip(b"\0").decode().split("."))
