# SPDX-License-Identifier: Apache-2.0
"""Recipes with options in JSON: each option does what it says, and mistakes are shown where they are."""

import ctypes as c
import json

import numpy as np
import pytest

import abi
import edge_models
import models
import places
import schema
import test_int8 as accuracy
import tool

BASES = ("weight_only_wi8_afp32", "dynamic_wi8_afp32")


def has_executor():
    listed = json.loads(tool.run("recipes", "--json").stdout)["recipes"]
    return any(recipe["name"] == "int8" for recipe in listed)


@pytest.fixture(scope="module")
def executor():
    if not has_executor():
        pytest.skip("built without the executor")


def corpus(stem):
    path = next((p for p in models.find()[0].values() if p.stem == stem), None)
    if path is None:
        pytest.skip(f"{stem} is not there: {models.find()[1]}")
    return path


FOLDER = places.CACHE / "recipes"


def quantize(path, base, *more, **options):
    """By a file that is named for what is in it; results are kept."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"recipe": base, **options})
    file = FOLDER / ("".join(ch if ch.isalnum() else "_" for ch in text) + ".json")
    file.write_text(text)
    output = tool.quantize(path, str(file), *more)
    assert output.code == tool.DONE, output.message
    return output


def int8_constants(model):
    """Of each name its codes, scales and dimension."""
    found = {}
    for subgraph in model.t.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.type == schema.tfl.TensorType.INT8:
                found[tensor.name] = (
                    bytes(model.t.buffers[tensor.buffer].data), bytes(np.asarray(tensor.quantization.scale)),
                    tensor.quantization.quantizedDimension,
                )
    return found


def float_constants(model):
    """Of each name, data; a model has several of one name where biases were un-shared."""
    found = {}
    for subgraph in model.t.subgraphs:
        for tensor in subgraph.tensors:
            data = model.t.buffers[tensor.buffer].data
            if tensor.type == schema.tfl.TensorType.FLOAT32 and data is not None and len(data):
                found.setdefault(tensor.name, set()).add(bytes(data))
    return found


@pytest.mark.parametrize("base", BASES)
def test_options_that_are_off_change_no_byte(base):
    path = corpus("conv_fc_mnist")
    expected = tool.expect(path, base).raw
    assert quantize(path, base).raw == expected
    assert quantize(path, base, rounding="plain", bias_correction=False, name="as it was").raw == expected


@pytest.mark.parametrize("base", BASES)
def test_bias_correction_alone_changes_biases_and_no_code(executor, base):
    path = corpus("conv_fc_mnist")
    plain, output = tool.expect(path, base).model, quantize(path, base, bias_correction=True).model
    assert len(int8_constants(plain)) == 3
    assert int8_constants(output) == int8_constants(plain)
    before, after = float_constants(plain), float_constants(output)
    assert before.keys() == after.keys() and len(before) >= 2
    assert all(before[name].isdisjoint(after[name]) for name in before), "a bias is as it was"


@pytest.mark.parametrize("stem", ("conv_fc_mnist", "face_landmark"))
@pytest.mark.parametrize("rounding", ("sums", "inputs"))
@pytest.mark.parametrize("base", BASES)
def test_rounding_alone_changes_codes_and_no_scale_or_bias(executor, base, rounding, stem):
    path = corpus(stem)
    plain, output = tool.expect(path, base).model, quantize(path, base, rounding=rounding).model
    before, after = int8_constants(plain), int8_constants(output)
    assert before.keys() == after.keys()
    for name, (codes, *rest) in before.items():
        old, new = (np.frombuffer(x, np.int8).astype(int) for x in (codes, after[name][0]))
        assert [*after[name][1:]] == rest, f"{name} has other scales"
        if rounding == "sums":
            assert abs(old - new).max() <= 1
    assert any(before[name] != after[name] for name in before)
    assert float_constants(plain) == float_constants(output)


# What rounding by inputs is better by than plain rounding, in dB, without and with bias correction, of
# dynamic operators. Their activations are rounded too, which nothing here helps; measured: 1.5 to 2.4.
@pytest.mark.parametrize("stem, pictures", (("conv_fc_mnist", 64), ("face_landmark", 12)))
@pytest.mark.parametrize("base, gain", ((BASES[0], 4), (BASES[1], 1)))
def test_rounding_by_inputs_is_more_accurate(executor, stem, pictures, base, gain, notes):
    from ai_edge_litert.interpreter import Interpreter

    path = corpus(stem)
    raw = path.read_bytes()
    inputs = accuracy.pictures(Interpreter(model_content=raw).get_input_details()[0]["shape"], pictures)
    reference = accuracy.outputs(raw, inputs)
    results = {
        "rounded plainly": tool.expect(path, base),
        "by inputs": quantize(path, base, rounding="inputs"),
        "with biases": quantize(path, base, rounding="inputs", bias_correction=True),
    }
    large = [i for i, values in enumerate(reference) if values.size > 4 * pictures]

    def worst(raw):
        given = accuracy.outputs(raw, inputs)
        return accuracy.worst([reference[i] for i in large], [given[i] for i in large])

    found = {name: worst(result.raw) for name, result in results.items()}
    notes.append(f"{stem} {base}: " + ", ".join(f"{name} {db:.1f} dB" for name, db in found.items()))
    assert found["by inputs"] > found["rounded plainly"] + gain
    assert found["with biases"] > found["rounded plainly"] + gain


def test_dynamic_layers_are_judged_as_such(executor):
    """What rounding activations costs is in the report, for plain rounding too."""
    path = corpus("face_landmark")
    weights, dynamic = (quantize(path, base, rounding="inputs", bias_correction=True).report["totals"] for base in BASES)
    assert dynamic["plain_output_snr_db"] < weights["plain_output_snr_db"] - 3
    assert dynamic["output_snr_db"] < weights["output_snr_db"] - 6


@pytest.mark.parametrize("base", BASES)
def test_float_budget_bounds_what_float16_takes(executor, base):
    path = corpus("face_landmark")
    outputs = [quantize(path, base, float_budget=budget) for budget in (0, 0.02, 0.2, 1)]
    sizes = [len(output.raw) for output in outputs]
    assert sizes == sorted(set(sizes)), sizes
    quantized = [output.report["totals"]["quantized"] for output in outputs]
    assert quantized == sorted(quantized, reverse=True) and quantized[0] > quantized[1] > quantized[3]
    for budget, size in zip((0.02, 0.2), sizes[1:]):
        assert sizes[0] + 0.5 * budget * sizes[0] < size <= sizes[0] + 1.05 * budget * sizes[0], (budget, sizes)
    # int8 codes that are left are those of plain rounding
    plain = int8_constants(tool.expect(path, base).model)
    left = int8_constants(outputs[2].model)
    assert left and left.items() <= plain.items()
    snr = [output.report["totals"]["output_snr_db"] for output in outputs]
    assert snr[0] < snr[1] < snr[2], snr


def test_options_of_int8_can_be_turned_off(executor):
    path = corpus("conv_fc_mnist")
    output = quantize(path, "int8", rounding="plain", bias_correction=False, float_budget=0)
    plain = tool.expect(path, "weight_only_wi8_afp32").model
    left = int8_constants(output.model)
    assert left and left.items() <= int8_constants(plain).items()
    before, after = float_constants(plain), float_constants(output.model)
    assert all(after[name] == before[name] for name in before)


def test_bytes_are_the_same_again(executor, tmp_path):
    path = corpus("conv_fc_mnist")
    options = dict(rounding="inputs", bias_correction=True, float_budget=0.05)
    once = quantize(path, "dynamic_wi8_afp32", "--threads", "1", **options).raw
    assert once == quantize(path, "dynamic_wi8_afp32", "--threads", "2", **options).raw


def test_reports_call_it_by_name_or_path(tmp_path):
    (tmp_path / "model.tflite").write_bytes(edge_models.MODELS["conv_with_bias"]())

    def reported(text, file):
        (tmp_path / file).write_text(json.dumps(text))
        done = tool.run("quantize", "model.tflite", "-n", "--json", "-r", file, cwd=tmp_path)
        assert done.returncode == tool.DONE, done.stderr
        return json.loads(done.stdout)["recipe"]

    assert reported({"recipe": "fp16"}, "a.json") == "a.json"
    assert reported({"recipe": "fp16", "name": "halves"}, "./a") == "halves"
    assert reported({"recipe": "fp16", "name": "none"}, "./a") == "./a"


def test_members_of_bundles_take_files(tmp_path):
    import zipfile

    raw = edge_models.MODELS["conv_with_bias"]()
    with zipfile.ZipFile(tmp_path / "both.task", "w") as z:
        z.writestr("a.tflite", raw)
        z.writestr("b.tflite", raw)
    (tmp_path / "halves.json").write_text('{"recipe": "fp16", "name": "halves"}')
    done = tool.run(
        "quantize", "both.task", "-n", "--json", "-r", "dynamic_wi8_afp32", "--member", "b*=halves.json", cwd=tmp_path
    )
    assert done.returncode == tool.DONE, done.stderr
    members = {m["path"]: m for m in json.loads(done.stdout)["members"]}
    assert [members[m]["recipe"] for m in ("a.tflite", "b.tflite")] == ["dynamic_wi8_afp32", "halves"]
    assert members["b.tflite"]["totals"]["float16"] > 0 == members["b.tflite"]["totals"]["quantized"]
    (tmp_path / "halves.json").write_text("{")
    done = tool.run("quantize", "both.task", "-n", "--member", "b*=halves.json", cwd=tmp_path)
    assert done.returncode == tool.ERROR and done.stderr.startswith("tfquant: halves.json: line 1, column 2: ")


WRONG = {
    '{"recipe": "fp16",\n  "roundin": 1}': ('line 2, column 3: there is no key "roundin"; did you mean "rounding"?', "BAD_RECIPE"),
    '{"recipe": "int9"}': ("line 1, column 12: there is no recipe 'int9'; did you mean", "BAD_RECIPE"),
    '{"recipe": "dynamic_wi8_afp32", "float_budget": 2}': ("line 1, column 49: ", "BAD_RECIPE"),
    '{"recipe": "fp16",}': ("line 1, column 19: ", "BAD_RECIPE"),
    '[{"regex": ".*", "operation": "*", "algorithm_key": "no_quantize"}]': ("line 1, column 1: a list of rules", "UNSUPPORTED"),
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_are_shown_where_they_are(tmp_path, text):
    place, status = WRONG[text]
    (tmp_path / "wrong.json").write_text(text)
    (tmp_path / "model.tflite").write_bytes(edge_models.MODELS["conv_with_bias"]())
    done = tool.run("quantize", "model.tflite", "-o", "out", "-r", "wrong.json", cwd=tmp_path)
    assert done.returncode == tool.ERROR
    assert done.stderr.startswith(f"tfquant: wrong.json: {place}"), done.stderr
    assert f"(TQ_ERR_{status} at byte " in done.stderr
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "model.tflite").write_bytes(edge_models.MODELS["conv_with_bias"]())
    done = tool.run("quantize", "model.tflite", "-n", "-r", "no.json", cwd=tmp_path)
    assert done.returncode == tool.ERROR and "no.json" in done.stderr and "TQ_ERR_OPEN" in done.stderr
    done = tool.run("quantize", "model.tflite", "-n", "-r", ".", cwd=tmp_path)
    assert done.returncode == tool.USAGE
    done = tool.run("quantize", "model.tflite", "-n", "-r", "./", cwd=tmp_path)
    assert done.returncode == tool.ERROR and "TQ_ERR_READ" in done.stderr


def test_without_the_executor_it_says_so(tmp_path):
    if has_executor():
        pytest.skip("this build has the executor")
    (tmp_path / "model.tflite").write_bytes(edge_models.MODELS["conv_with_bias"]())
    for option in ({"rounding": "inputs"}, {"bias_correction": True}, {"float_budget": 0.1}):
        (tmp_path / "a.json").write_text(json.dumps({"recipe": "dynamic_wi8_afp32", **option}))
        done = tool.run("quantize", "model.tflite", "-n", "-r", "a.json", cwd=tmp_path)
        assert done.returncode == tool.ERROR and "TQ_ERR_UNSUPPORTED" in done.stderr


def test_through_the_library():
    path = places.library(".so")
    if path is None:
        pytest.skip("the shared library is not built (-Ddefault_library=both)")
    lib, error, recipe = abi.load(path), abi.Error(), c.c_void_p()
    text = b'{"recipe": "fp16", "name": "mine"}'
    for _ in range(3):
        recipe = c.c_void_p()
        assert lib.tq_recipe_parse(text, len(text), c.byref(recipe), c.byref(error)) == abi.OK
        assert lib.tq_recipe_name(recipe) == b"mine"
        lib.tq_recipe_free(recipe)
    recipe = c.c_void_p()
    assert lib.tq_recipe_parse(text, len(text) - 1, c.byref(recipe), c.byref(error)) == abi.BAD_RECIPE
    assert not recipe and error.status == abi.BAD_RECIPE and error.offset == len(text) - 1
    assert lib.tq_status_name(abi.BAD_RECIPE) == b"TQ_ERR_BAD_RECIPE"
