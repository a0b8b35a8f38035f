# SPDX-License-Identifier: Apache-2.0
"""The generated models: every recipe runs, everything survives, the result computes the same."""

import functools

import pytest

import edge_models
import hygiene
import invariants
import litert
import places
import reference
import schema
import test_bit_identity
import test_hygiene
import tool

CASES = pytest.mark.parametrize("name", edge_models.MODELS)

Q, KEPT = "quantized", "kept"
# What dynamic_wi8_afp32 is to decide, for the constants that matter: {name: (verdict, reason)}.
DECISIONS = {
    "fully_connected_with_signature": {"w": (Q, "NONE"), "b": (KEPT, "BIAS")},
    "if_branches_with_weights": {"w": (Q, "NONE")},
    "while_body_with_weights": {"bw": (Q, "NONE"), "limit": (KEPT, "NOT_FLOAT")},
    "composite_with_decomposition": {"w": (KEPT, "COMPOSITE")},
    "custom_operator_inline_options": {"w": (Q, "NONE"), "cw": (KEPT, "CUSTOM_OPERATOR")},
    "custom_operator_large_options": {"w": (Q, "NONE"), "cw": (KEPT, "CUSTOM_OPERATOR")},
    "variable_tensor": {"feature": (KEPT, "NOT_COVERED")},
    "dynamic_shapes": {"w": (Q, "NONE")},
    "optional_bias_left_out": {"w": (Q, "NONE")},
    "buffer_shared_by_tensors": {"w1": (Q, "NONE"), "w2": (Q, "NONE")},
    "buffer_shared_by_an_unused_tensor": {"w": (Q, "NONE")},
    "weight_used_twice_the_same_way": {"w": (Q, "NONE")},
    "weight_also_added": {"w": (KEPT, "FLOAT_USE")},
    "embedding_tied_to_output": {"table": (Q, "NONE")},
    "duplicate_names": {"same": (Q, "NONE")},
    "buffers_behind_the_flatbuffer": {"w": (Q, "NONE")},
    "appended_zip": {"w": (Q, "NONE")},
    "deprecated_operator_codes": {"w": (Q, "NONE")},
    "half_behind_dequantize": {"w": (Q, "NONE")},
    "half_used_by_two_dequantize": {"w1": (Q, "NONE"), "w2": (Q, "NONE")},
    "not_a_number_in_weights": {"w": (KEPT, "NOT_FINITE")},
    "infinity_in_weights": {"w": (KEPT, "NOT_FINITE")},
    "beyond_float16": {"w": (Q, "NONE")},
    "zero_channel": {"w": (Q, "NONE")},
    "conv_with_bias": {"w": (Q, "NONE")},
    "conv_grouped": {"w": (Q, "NONE")},
    "conv_dilated": {"w": (Q, "NONE")},
    "depthwise_with_bias": {"w": (Q, "NONE")},
    "depthwise_without_bias": {"w": (KEPT, "RUNTIME_REFUSES")},
    "transpose_conv": {"w": (Q, "NONE")},
    "batch_matmul_right_constant": {"w": (Q, "NONE")},
    "batch_matmul_right_constant_transposed": {"w": (Q, "NONE")},
    "batch_matmul_left_constant": {"w": (KEPT, "NOT_COVERED")},
    "weight_is_an_output": {"w": (KEPT, "GRAPH_BOUNDARY")},
    "scalar_constant": {"w": (Q, "NONE"), "scalar": (KEPT, "NOT_COVERED")},
    "already_quantized": {"w": (KEPT, "QUANTIZED_ALREADY")},
    "unknown_operator": {"w": (Q, "NONE")},
}
# Where the library quantizes otherwise than litert-quantizer, and why.
OTHERWISE = {
    "weight_also_added": "litert-quantizer stores the weights twice, as int8 and float: the file grows",
    "weight_is_an_output": "litert-quantizer stores the weights twice, as int8 and float: the file grows",
    "not_a_number_in_weights": "litert-quantizer writes a NaN scale, and XNNPACK refuses the model",
    "infinity_in_weights": "litert-quantizer writes an infinite scale, and XNNPACK refuses the model",
    "batch_matmul_left_constant": "litert-quantizer's result does not load: no kernel has int8 on the left",
    "depthwise_without_bias": "the runtime crashes on it",
    "conv_without_bias": "the runtime refuses it",
}
LEAST_SNR_DB = {"dynamic_wi4b32_afp32": 13}  # of random weights: 20 or so, less in a loop
USUAL_SNR_DB = 30


@functools.cache
def stored(name):
    path = places.CACHE / "edge" / f"{name}.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(edge_models.MODELS[name]())
    return path


@CASES
def test_copy_is_equal(name):
    original, output = schema.Model.read(stored(name)), tool.expect(stored(name), "none")
    differences = schema.compare(original, output.model)
    assert not differences, "\n".join(differences)
    assert output.model.trailing() == original.trailing()
    assert not list(hygiene.unaligned(output.model))


@CASES
@pytest.mark.parametrize("recipe", tool.QUANTIZING)
def test_everything_survives(name, recipe):
    original, output = schema.Model.read(stored(name)), tool.expect(stored(name), recipe)
    problems = invariants.kept(original, output.model, recipe in tool.RUNNING) + test_hygiene.breaches(original, output)
    assert not problems, "\n".join(problems)


@CASES
@pytest.mark.parametrize("recipe", tool.RECIPES)
@pytest.mark.parametrize("runtime", ["xnnpack", "builtin"])
def test_result_runs(name, recipe, runtime):
    raw = stored(name).read_bytes()
    before = litert.run(raw, runtime == "xnnpack")
    output = tool.expect(stored(name), recipe)
    if not litert.runs(before):
        pytest.skip(f"LiteRT does not run the original: {litert.says(before)[:120]}")
    after = litert.run(output.raw, runtime == "xnnpack", before)
    failure = "" if litert.runs(after) else litert.says(after)
    assert not failure
    assert after["inputs"] == before["inputs"] and after["results"] == before["results"]
    if not output.changed:
        same = litert.equal(before, after)
        assert same, "the outputs differ"
        return
    value = litert.snr(before, after)
    assert value is None or value >= LEAST_SNR_DB.get(recipe, USUAL_SNR_DB), f"{value:.1f} dB"


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions(name):
    report = tool.quantize(stored(name), "dynamic_wi8_afp32").report
    for label, want in DECISIONS[name].items():
        have = {(e["verdict"], e["reason"]) for e in report["entries"] if e["name"] == label}
        assert have == {want}, f"{label}: {have}"


@CASES
@pytest.mark.parametrize("recipe", reference.RECIPES)
def test_tensors_are_litert_quantizers(name, recipe):
    if name in OTHERWISE:
        pytest.skip(OTHERWISE[name])
    raw = stored(name).read_bytes()
    theirs, failure = reference.quantize(raw, recipe)
    if theirs is None:
        pytest.skip(f"litert-quantizer can't: {failure[:100]}")
    problems = test_bit_identity.check(name, schema.Model(raw), schema.Model(theirs), tool.expect(stored(name), recipe))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("recipe", tool.RECIPES)
@pytest.mark.parametrize("name", edge_models.REFUSED)
def test_what_could_not_be_kept_is_refused(name, recipe, tmp_path):
    path, target = tmp_path / "in.tflite", tmp_path / "out.tflite"
    path.write_bytes(edge_models.REFUSED[name]())
    done = tool.run("quantize", path, "-o", target, "--recipe", recipe)
    assert done.returncode == tool.ERROR, f"exit code {done.returncode}: {done.stderr}"
    assert not target.exists()
    assert "UNSUPPORTED" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_fp16_keeps_what_float16_can_not_hold():
    output = tool.quantize(stored("beyond_float16"), "fp16")
    entry = next(e for e in output.report["entries"] if e["name"] == "w")
    assert (entry["verdict"], entry["reason"]) == (KEPT, "OUT_OF_RANGE")


def test_fp16_gives_half_behind_dequantize():
    model = tool.expect(stored("fully_connected_with_signature"), "fp16").model
    names = [model.op_name(op) for op in model.t.subgraphs[0].operators]
    assert names.count("DEQUANTIZE") >= 1 and names[-1] == "FULLY_CONNECTED"
    halves = [t for t in model.t.subgraphs[0].tensors if t.type == schema.FLOAT16]
    assert halves and all(model.is_constant(t) for t in halves)


@pytest.mark.no_tool
@pytest.mark.parametrize("name", {**edge_models.MODELS, **edge_models.REFUSED})
def test_generated_models_are_the_same_each_time(name):
    make = {**edge_models.MODELS, **edge_models.REFUSED}[name]
    assert make() == make()
    assert make()[4:8] == b"TFL3"
