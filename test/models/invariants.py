# SPDX-License-Identifier: Apache-2.0
"""What a quantized model has in common with its original."""

import io
import zipfile

import numpy as np

import constants
import hygiene
import schema

REMOVABLE = ("DEQUANTIZE", "DENSIFY")


def kept(original, result, refined=False):
    """What was lost or changed though it must not be, as readable lines."""
    out = []
    a, b = original.t, result.t
    for field in ("version", "description"):
        if getattr(a, field) != getattr(b, field):
            out.append(f"{field}: {getattr(a, field)!r} became {getattr(b, field)!r}")
    if len(a.subgraphs) != len(b.subgraphs):
        return out + [f"{len(a.subgraphs)} subgraphs became {len(b.subgraphs)}"]
    for s in range(len(a.subgraphs)):
        _graph(original, result, s, out, refined)
    _metadata(original, result, out)
    _signatures(original, result, out)
    if not same_tail(original, result):
        out.append("bytes behind the flatbuffer changed")
    return out


def _io(graph, indices):
    """What the world outside sees of a tensor: name, type, shapes."""
    for i in schema.listed(indices):
        t = graph.tensors[i]
        yield (schema.text(t.name), t.type, schema.listed(t.shape), schema.listed(t.shapeSignature), t.isVariable)


def _graph(original, result, s, out, refined):
    g, h = original.t.subgraphs[s], result.t.subgraphs[s]
    where = f"subgraphs[{s}]"
    if g.name != h.name:
        out.append(f"{where}: name {g.name!r} became {h.name!r}")
    for field in ("inputs", "outputs"):
        before, after = list(_io(g, getattr(g, field))), list(_io(h, getattr(h, field)))
        if before != after:
            out.append(f"{where}: {field} {before} became {after}")
    stay = [op for op in schema.listed(g.operators) if not _constant_unpacking(original, s, op)]
    have = [op for op in schema.listed(h.operators) if not _constant_unpacking(result, s, op)]
    before, after = ([f.op_name(op) for op in ops] for f, ops in ((original, stay), (result, have)))
    if before != after:
        out.append(f"{where}: operators {before} became {after}")
        return
    for i, (p, q) in enumerate(zip(stay, have)):
        _operator(original, result, s, f"{where}.operators[{i}] {before[i]}", p, q, out, refined)


def _constant_unpacking(model, s, op):
    """A DEQUANTIZE or DENSIFY whose input is a constant, or comes from such an operator."""
    graph = model.t.subgraphs[s]
    while model.op_name(op) in REMOVABLE:
        source = int(op.inputs[0])
        if model.is_constant(graph.tensors[source]):
            return True
        op = next((o for o in schema.listed(graph.operators) if source in schema.listed(o.outputs)), None)
        if op is None:
            return False
    return False


def _operator(original, result, s, where, p, q, out, refined):
    for field in ("builtinOptionsType", "builtinOptions2Type", "customOptionsFormat", "debugMetadataIndex"):
        if getattr(p, field) != getattr(q, field):
            out.append(f"{where}: {field} changed")
    schema._walk(original, result, p.builtinOptions, q.builtinOptions, f"{where}.builtinOptions", out)
    schema._walk(original, result, p.builtinOptions2, q.builtinOptions2, f"{where}.builtinOptions2", out)
    schema._compare_custom_options(original, result, p, q, where, out)
    for field in ("mutatingVariableInputs", "intermediates"):
        if (getattr(p, field) is None) != (getattr(q, field) is None):
            out.append(f"{where}: {field} changed")
    version = lambda f, op: f.t.operatorCodes[op.opcodeIndex].version
    if version(result, q) < version(original, p):
        out.append(f"{where}: version {version(original, p)} became {version(result, q)}")
    needed = hygiene.needed_version(result, result.t.subgraphs[s], q)
    single = needed in (2, 3) and version(result, q) in (5, 12)  # one channel, one scale: either will do
    if version(result, q) > max(version(original, p), needed) and not single:
        out.append(f"{where}: version {version(result, q)} though {needed} would do")
    g, h = original.t.subgraphs[s], result.t.subgraphs[s]
    for field in ("inputs", "outputs"):
        x, y = schema.listed(getattr(p, field)), schema.listed(getattr(q, field))
        if len(x) != len(y):
            out.append(f"{where}: {len(x)} {field} became {len(y)}")
            continue
        for i, (m, n) in enumerate(zip(x, y)):
            if (m < 0) != (n < 0):
                out.append(f"{where}: {field}[{i}]: optional tensor changed")
            elif m >= 0:
                _tensor(original, result, g.tensors[m], h.tensors[n], f"{where}.{field}[{i}]", out)
                out += [f"{where}.{field}[{i}]: {line}" for line in constants.differences(original, result, s, m, n, refined)]


def _tensor(original, result, t, u, where, out):
    if schema.listed(t.shape) != schema.listed(u.shape):
        out.append(f"{where}: shape {schema.listed(t.shape)} became {schema.listed(u.shape)}")
    if schema.listed(t.shapeSignature) != schema.listed(u.shapeSignature):
        out.append(f"{where}: shape_signature {schema.listed(t.shapeSignature)} became {schema.listed(u.shapeSignature)}")
    if t.isVariable != u.isVariable:
        out.append(f"{where}: is_variable changed")
    a, b = schema.text(t.name), schema.text(u.name)
    if a != b and not b.startswith(a):  # a DEQUANTIZE result gets a name of its own
        out.append(f"{where}: name {a!r} became {b!r}")
    if t.type in (schema.FLOAT32, schema.FLOAT16):
        return
    if t.type != u.type:
        out.append(f"{where}: type {schema.TYPE_NAME.get(t.type)} became {schema.TYPE_NAME.get(u.type)}")
    if original.data(t.buffer) != result.data(u.buffer):
        out.append(f"{where}: constant of type {schema.TYPE_NAME.get(t.type)} changed")
    if not np.array_equal(schema.scales(t), schema.scales(u), equal_nan=True):
        out.append(f"{where}: scales changed")
    if schema.zero_points(t) != schema.zero_points(u):
        out.append(f"{where}: zero points changed")


def same_tail(original, result):
    """The same bytes behind the flatbuffer, but for the offsets of a ZIP that count from the start of the file."""
    tails = [model.trailing() for model in (original, result)]
    if tails[0] == tails[1]:
        return True
    return [len(t) for t in tails[0]] == [len(t) for t in tails[1]] and _files(original) == _files(result) is not None


def _files(model):
    try:
        with zipfile.ZipFile(io.BytesIO(model.raw)) as archive:
            assert archive.testzip() is None
            return [(i.filename, i.date_time, i.extra, i.comment, archive.read(i)) for i in archive.infolist()]
    except zipfile.BadZipFile:
        return None


def _metadata(original, result, out):
    pairs = [[(schema.text(m.name), f.data(m.buffer)) for m in schema.listed(f.t.metadata)] for f in (original, result)]
    for old, new in zip(*pairs):
        # It may be raised to what the operators need now: see test_runtime_version.py.
        named = old[0] == new[0] == "min_runtime_version"
        if named and old[1] != new[1] and schema.release(old[1]) < schema.release(new[1]):
            pairs[0][pairs[0].index(old)] = new
    if pairs[0] != pairs[1]:
        out.append(f"metadata {[n for n, _ in pairs[0]]} became {[n for n, _ in pairs[1]]} or differ in content")
    legacy = [[f.data(i) for i in schema.listed(f.t.metadataBuffer)] for f in (original, result)]
    if legacy[0] != legacy[1]:
        out.append("metadata_buffer changed")


def _signatures(original, result, out):
    def plain(model):
        for signature in schema.listed(model.t.signatureDefs):
            graph = model.t.subgraphs[signature.subgraphIndex]
            maps = []
            for field in ("inputs", "outputs"):
                ends = schema.listed(getattr(graph, field))
                for m in schema.listed(getattr(signature, field)):
                    place = ends.index(m.tensorIndex) if m.tensorIndex in ends else None
                    maps.append((field, schema.text(m.name), schema.text(graph.tensors[m.tensorIndex].name), place))
            yield schema.text(signature.signatureKey), signature.subgraphIndex, maps

    before, after = list(plain(original)), list(plain(result))
    if before != after:
        out.append(f"signatures {before} became {after}")
