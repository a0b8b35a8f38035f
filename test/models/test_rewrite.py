# SPDX-License-Identifier: Apache-2.0
"""Rewritten models compute the same bits, lose nothing, and no longer hold what they were rewritten for."""

import functools
import hashlib
import json

import numpy as np
import pytest

import edge_models
import hygiene
import invariants
import litert
import places
import rewrite_models
import schema
import tool

WAYS = pytest.mark.parametrize("xnnpack", [True, False], ids=["xnnpack", "builtin"])


@functools.cache
def rewritten(raw, *arguments):
    """(exit code, bytes, what the program said) for the model."""
    folder = places.CACHE / "rewritten"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(raw).hexdigest()[:24]}.tflite"
    target = path.with_suffix(".out")
    path.write_bytes(raw)
    target.unlink(missing_ok=True)
    done = tool.run("rewrite", path, "-o", target, "--json", *arguments)
    out = target.read_bytes() if target.exists() else b""
    path.unlink()
    target.unlink(missing_ok=True)
    assert done.returncode in (tool.DONE, tool.UNCHANGED), done.stderr
    assert bool(out) == (done.returncode == tool.DONE)
    report = json.loads(done.stdout)
    assert bool(report["edits"]) == report["changed"] == report["written"] == bool(out)
    assert len(out) == report["file_bytes_after"] or not out
    return done.returncode, out, report


def operators(raw, graph=0):
    model = schema.Model(raw)
    return [model.op_name(op) for op in schema.listed(model.t.subgraphs[graph].operators)]


def lost(before, after):
    """What must not change, whatever is rewritten."""
    a, b = schema.Model(before), schema.Model(after)
    out = []
    assert len(a.t.subgraphs) == len(b.t.subgraphs)
    for g, h in zip(a.t.subgraphs, b.t.subgraphs):
        for field in ("inputs", "outputs"):
            x, y = (list(invariants._io(s, getattr(s, field))) for s in (g, h))
            if x != y or g.name != h.name:
                out.append(f"{field} {x} became {y}")
        custom = [[schema.listed(o.customOptions) for o in schema.listed(s.operators)] for s in (g, h)]
        if [c for c in custom[0] if c] != [c for c in custom[1] if c]:
            out.append("custom options changed")
    invariants._metadata(a, b, out)
    invariants._signatures(a, b, out)
    if not invariants.same_tail(a, b):
        out.append("bytes behind the flatbuffer changed")
    for rule in (hygiene.unaligned, hygiene.overlapping, hygiene.dangling, hygiene.orphans, hygiene.stored_twice,
                 hygiene.unused_codes, hygiene.inconsistent_codes, hygiene.unordered, hygiene.low_versions,
                 hygiene.bad_quantization):
        known = set(rule(a))
        out += [f"{rule.__name__}: {line}" for line in rule(b) if line not in known]
    return out


def same_bits(before, after, xnnpack):
    want = litert.run(before, xnnpack)
    assert litert.runs(want), litert.says(want)
    got = litert.run(after, xnnpack, want)
    assert litert.runs(got), litert.says(got)
    assert litert.equal(want, got), "the outputs differ"


def ids(cases):
    return [f"{case[0]}-{case[1]}" for case in cases]


@WAYS
@pytest.mark.parametrize("rewrite, name, build, after", rewrite_models.APPLIES, ids=ids(rewrite_models.APPLIES))
def test_applies(rewrite, name, build, after, xnnpack):
    raw = build()
    code, out, report = rewritten(raw, "--only", rewrite)
    assert code == tool.DONE, "it found nothing"
    assert {e["rewrite"] for e in report["edits"]} == {rewrite}
    assert operators(out) == after
    assert not lost(raw, out)
    same_bits(raw, out, xnnpack)


@pytest.mark.parametrize("rewrite, name, build", rewrite_models.STAYS, ids=ids(rewrite_models.STAYS))
def test_stays_away(rewrite, name, build):
    code, _, report = rewritten(build(), "--only", rewrite)
    assert code == tool.UNCHANGED, report["edits"]


CASES = rewrite_models.APPLIES + rewrite_models.STAYS


@pytest.mark.parametrize("rewrite, name, build", [c[:3] for c in CASES], ids=ids(CASES))
def test_all_together(rewrite, name, build):
    """The default rewrites on the models of all: what ran before runs the same, and there is no more to do."""
    raw = build()
    _, out, _ = rewritten(raw)
    if not out:
        return
    assert not lost(raw, out)
    if litert.runs(litert.run(raw, True)):
        same_bits(raw, out, True)
    assert rewritten(out)[0] == tool.UNCHANGED


@pytest.mark.parametrize("small, large, order, after", rewrite_models.LAYOUTS.values(), ids=rewrite_models.LAYOUTS)
def test_layouts_are_mended(small, large, order, after):
    raw = rewrite_models.mismatched(small, large)
    refused = litert.run(raw, False)
    assert refused["stage"] == "refused", litert.says(refused)
    code, mended, _ = rewritten(raw, "--only", "broadcast-layout")
    assert code == tool.DONE and operators(mended) == after
    assert not lost(raw, mended)
    # what is meant: the same model, whose input is right from the start
    meant = rewrite_models.mismatched(tuple(small[i] for i in order), large)
    for xnnpack in (True, False):
        want, got = litert.run(meant, xnnpack), litert.run(mended, xnnpack)
        assert litert.runs(want) and litert.runs(got), litert.says(got)
    assert operators(rewritten(raw)[1])[-1] == "ADD" and "BROADCAST_TO" not in operators(rewritten(raw)[1])
    assert values_are_as_meant(mended, small, large, order)


def values_are_as_meant(raw, small, large, order):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=raw)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(small).astype(np.float32), rng.standard_normal(large).astype(np.float32)
    for detail, value in zip(interpreter.get_input_details(), (x, y)):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return np.array_equal(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), y + x.transpose(order))


@WAYS
def test_corpus(corpus_model, xnnpack):
    raw = corpus_model[1].read_bytes()
    code, out, _ = rewritten(raw)
    if code == tool.UNCHANGED:
        return
    assert not lost(raw, out)
    assert rewritten(out)[0] == tool.UNCHANGED, "there was more to do"
    before = litert.run(raw, xnnpack)
    after = litert.run(out, xnnpack, before)
    if litert.runs(before):
        assert litert.runs(after), litert.says(after)
        assert litert.equal(before, after), "the outputs differ"
    else:
        assert after["stage"] == before["stage"], litert.says(after)


@pytest.mark.parametrize("name", edge_models.MODELS)
def test_edge_models(name):
    raw = edge_models.MODELS[name]()
    code, out, _ = rewritten(raw)
    if code == tool.UNCHANGED:
        return
    assert not lost(raw, out)
    before = litert.run(raw, True)
    after = litert.run(out, True, before)
    assert after["stage"] == before["stage"], litert.says(after)
    assert not litert.runs(before) or litert.equal(before, after), "the outputs differ"


@pytest.mark.parametrize("name", ["sparse_behind_densify", "sparse_half_behind_densify", "half_used_by_two_dequantize"])
def test_unpacked(name):
    """On request: constants behind DENSIFY and DEQUANTIZE become plain ones, with the same results."""
    raw = edge_models.MODELS[name]()
    code, out, _ = rewritten(raw, "--only", "fold-densify,fold-float16")
    assert code == tool.DONE and set(operators(out)) == {"FULLY_CONNECTED"}
    assert not lost(raw, out)
    same_bits(raw, out, False)


def test_sparse_stays_by_default():
    assert rewritten(edge_models.MODELS["sparse_behind_densify"]())[0] == tool.UNCHANGED
    assert rewritten(edge_models.MODELS["sparse_direct"](), "--only", "fold-densify")[0] == tool.UNCHANGED


def test_bodies_stay():
    """What is dead in a branch, a loop or a decomposition stays there."""
    for name in ("if_branches_with_weights", "while_body_with_weights", "composite_with_decomposition"):
        model = schema.Model(edge_models.MODELS[name]())
        body = model.t.subgraphs[-1]
        body.tensors.append(schema.tfl.TensorT(name="dead", shape=np.array([3], np.int32)))
        model.t.subgraphs[0].tensors.append(schema.tfl.TensorT(name="dead", shape=np.array([3], np.int32)))
        code, out, report = rewritten(schema.pack(model.t))
        assert code == tool.DONE and [e["subgraph"] for e in report["edits"]] == [0]
        assert [schema.text(t.name) for t in schema.Model(out).t.subgraphs[-1].tensors].count("dead") == 1


def test_bodies_with_a_signature_stay():
    """Run from outside too, but an operator relies on it."""
    raw = edge_models.MODELS["composite_with_decomposition"]()
    model = schema.Model(raw)
    body = model.t.subgraphs[-1]
    body.tensors.append(schema.tfl.TensorT(name="dead", shape=np.array([3], np.int32)))
    model.t.signatureDefs = [schema.tfl.SignatureDefT(inputs=[], outputs=[], signatureKey="body", subgraphIndex=1)]
    assert rewritten(schema.pack(model.t))[0] == tool.UNCHANGED


def broadcasting_model(corpus):
    found = [path for name, path in corpus.items() if name.endswith("unet_broadcast_to_f32")]
    if not found:
        pytest.skip("the model with BROADCAST_TO is only in the corpus")
    return found[0]


@pytest.mark.parametrize("recipe", tool.RECIPES)
def test_unet_runs_with_every_recipe(recipe, tmp_path):
    import models

    raw = broadcasting_model(models.find()[0]).read_bytes()
    code, out, report = rewritten(raw)
    assert code == tool.DONE and "BROADCAST_TO" not in operators(out)
    assert [(e["rewrite"], e["op"], e["op_name"]) for e in report["edits"]] == [("broadcast-to-tile", 26, "BROADCAST_TO")]
    same_bits(raw, out, True)
    path = tmp_path / "rewritten.tflite"
    path.write_bytes(out)
    result = tool.expect(path, recipe)
    ran = litert.run(result.raw, True, litert.run(out, True))
    assert litert.runs(ran), litert.says(ran)
    assert litert.snr(litert.run(out, True), ran) > 30


@pytest.mark.parametrize("target, expected", [("gpu", "TILE"), ("int8-only", "TILE"), ("tflite-micro", "BROADCAST_TO")])
def test_target_decides(target, expected):
    raw = rewrite_models.joined("f32")
    assert expected in operators(rewritten(raw, "--target", target)[1] or raw)


def test_wrong_use(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(rewrite_models.joined("f32"))
    for arguments in (["--only", "nothing"], ["--only", ","], ["--target", "toaster"]):
        assert tool.run("rewrite", path, "-n", *arguments).returncode == tool.USAGE
    names = [r["name"] for r in json.loads(tool.run("rewrite", "--list", "--json").stdout)["rewrites"]]
    assert len(names) == len(set(names)) and {c[0] for c in rewrite_models.APPLIES} | {"broadcast-layout", "fold-densify"} == set(names)
