# SPDX-License-Identifier: Apache-2.0
"""Bundles that the recipe `int8` made smaller, end to end: MediaPipe finds in pictures what it found with the float ones.

Landmarks that the float model is sure of are to stay within 1 % of the picture's width. Of a person that are those
whose visibility it gives as SURE; the others (hands behind a helmet, legs out of the picture) move by 10 %
with the float model itself when each gray level changes by one, so how far they move says nothing.

Run as a program it is the process that MediaPipe may crash in: it makes a bundle, or prints what is found."""

import importlib.util
import json
import math
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import models
import schema
import test_bundles
import tool

PLAIN, DYNAMIC, INT8, FAST = "weight_only_wi8_afp32", "dynamic_wi8_afp32", "int8", "int8-fast"
LIMIT = 0.01
SURE = 0.99
POSE = {"pose_detector.tflite": "pose_detection", "pose_landmarks_detector.tflite": "pose_landmark_lite"}
# Of the pixels, as MediaPipe's own graphs have it: (mean, standard deviation).
NORMAL = {"pose_detector.tflite": (127.5, 127.5), "pose_landmarks_detector.tflite": (0.0, 255.0)}


# ---- in the process of its own ----


def metadata(outputs, mean, deviation):
    """What MediaPipe's tasks want to know of a model: how pixels become numbers."""
    from mediapipe.tasks.metadata import metadata_schema_py_generated as described

    def tensor(name, kind, properties):
        made = described.TensorMetadataT()
        made.name, made.content = name, described.ContentT()
        made.content.contentPropertiesType, made.content.contentProperties = kind, properties
        return made

    normal, unit, image = described.NormalizationOptionsT(), described.ProcessUnitT(), described.ImagePropertiesT()
    normal.mean, normal.std = [mean], [deviation]
    unit.optionsType, unit.options = described.ProcessUnitOptions.NormalizationOptions, normal
    image.colorSpace = described.ColorSpaceType.RGB
    graph, kinds = described.SubGraphMetadataT(), described.ContentProperties
    graph.inputTensorMetadata = [tensor("image", kinds.ImageProperties, image)]
    graph.inputTensorMetadata[0].processUnits = [unit]
    graph.outputTensorMetadata = [
        tensor(f"output {i}", kinds.FeatureProperties, described.FeaturePropertiesT()) for i in range(outputs)
    ]
    whole = described.ModelMetadataT()
    whole.name, whole.subgraphMetadata = "pose", [graph]
    return whole


def with_metadata(raw, mean, deviation):
    import flatbuffers
    from ai_edge_litert import schema_py_generated as tfl

    source = schema.Model(raw)
    model, builder = source.t, flatbuffers.Builder(512)
    builder.Finish(metadata(len(model.subgraphs[0].outputs), mean, deviation).Pack(builder), b"M001")
    for i, buffer in enumerate(model.buffers):
        data = source.data(i)
        buffer.data = np.frombuffer(data, np.uint8) if data else None
        buffer.offset = buffer.size = 0
    model.buffers.append(tfl.BufferT(data=np.frombuffer(bytes(builder.Output()), np.uint8)))
    named = tfl.MetadataT(name="TFLITE_METADATA", buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), named]
    return schema.pack(model)


def make_pose(target, *paths):
    """A pose_landmarker.task of the two models."""
    with zipfile.ZipFile(target, "w") as bundle:
        for name, path in zip(POSE, paths, strict=True):
            bundle.writestr(name, with_metadata(pathlib.Path(path).read_bytes(), *NORMAL[name]))


def people():
    """The photographs of scikit-image with a person, both ways round, and one with nobody."""
    from skimage import color, data

    for picture in (data.astronaut(), color.gray2rgb(data.camera())):
        yield picture
        yield np.ascontiguousarray(picture[:, ::-1])
    yield data.coffee()


def find_poses(path):
    """For each picture the people in it: landmarks [x, y, visibility] over the picture's width."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    base = BaseOptions(model_asset_buffer=pathlib.Path(path).read_bytes())
    found = []
    with vision.PoseLandmarker.create_from_options(vision.PoseLandmarkerOptions(base, num_poses=1)) as landmarker:
        for picture in people():
            flat = picture.shape[0] / picture.shape[1]
            result = landmarker.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, picture))
            found.append([[[p.x, p.y * flat, p.visibility] for p in person] for person in result.pose_landmarks])
    return found


# ---- in the tests ----


def ask(*words):
    """What this file says as a program."""
    for package in ("mediapipe", "skimage"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (requirements-bundles.txt)")
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode == test_bundles.CAN_NOT_RUN:
        pytest.skip(f"mediapipe does not run here: {done.stdout.strip()}")
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def distances(before, after):
    """Of landmarks, one array for each picture with a detection in both: distances over the width, and visibility."""
    for old, new in zip(before, after, strict=True):
        if old and new:
            old, new = np.array(old[0]), np.array(new[0])
            yield np.linalg.norm(old[:, :2] - new[:, :2], axis=1), old[:, 2]


def counts(found):
    return [len(people) for people in found]


def furthest(before, after, least=0.0):
    """Over all pictures; infinite where something was found in one and not in the other."""
    if counts(before) != counts(after):
        return math.inf
    return max(moved[seen >= least].max() for moved, seen in distances(before, after))


@pytest.fixture(scope="module")
def pose(tmp_path_factory):
    found, origin = models.find()
    path = next((p for p in found.values() if p.stem == POSE["pose_landmarks_detector.tflite"]), None)
    if path is None:
        pytest.skip(f"no pose_landmark_lite in {origin}")
    detector, reason = models.in_wheel(POSE["pose_detector.tflite"])
    if detector is None:
        pytest.skip(reason)
    made = tmp_path_factory.mktemp("pose") / "pose_landmarker.task"
    ask("make", made, detector, path)
    return made


def shown():
    """Recipes whose figures are printed."""
    known = {line.split()[0] for line in tool.run("recipes").stdout.splitlines() if line.strip()}
    return [recipe for recipe in (PLAIN, DYNAMIC, INT8, FAST) if recipe in known]


def quantized(source, recipe, folder):
    done = tool.run("quantize", source, "-o", folder / f"{recipe}.task", "--recipe", recipe)
    assert done.returncode == tool.DONE, done.stderr
    return folder / f"{recipe}.task"


def test_pose_landmarker_finds_the_same_people(pose, tmp_path, notes):
    before = ask("find", pose)
    assert counts(before) == [1, 1, 1, 1, 0], "these are to be pictures of one person, and one of none"
    after = {recipe: ask("find", quantized(pose, recipe, tmp_path)) for recipe in shown()}
    for recipe, found in after.items():
        sure, every = (max((moved[seen >= s].max() for moved, seen in distances(before, found)), default=0) for s in (SURE, 0))
        notes.append(
            f"pose_landmarker.task, {recipe}: people {counts(found)} of {counts(before)}; landmarks that are sure within "
            f"{sure:.2%} of the width, all within {every:.2%}"
        )
    assert counts(after[INT8]) == counts(before)
    assert furthest(before, after[INT8], SURE) <= LIMIT


def test_hand_landmarker_finds_the_same_hands(tmp_path, notes):
    source = test_bundles.corpus("hand_landmarker.task")
    before = test_bundles.hands(source)
    assert counts(before) == [1, 1, 0], "these are to be pictures of one hand, and one of none"
    after = {recipe: test_bundles.hands(quantized(source, recipe, tmp_path)) for recipe in shown()}
    points = lambda found: [[points for _, _, points in hands] for hands in found]  # the pictures are square
    with_sight = lambda found: [[[[*p, 1.0] for p in hand] for hand in hands] for hands in points(found)]
    old = with_sight(before)
    for recipe, found in after.items():
        moved = furthest(old, with_sight(found))
        notes.append(f"hand_landmarker.task, {recipe}: hands {counts(found)} of {counts(before)}, landmarks within {moved:.2%} of the width")
    assert counts(after[INT8]) == counts(before)
    assert furthest(old, with_sight(after[INT8])) <= LIMIT
    for old_hands, new_hands in zip(before, after[INT8]):
        assert [side for side, *_ in new_hands] == [side for side, *_ in old_hands]


def main(what, *paths):
    try:
        print(json.dumps(find_poses(*paths) if what == "find" else make_pose(*paths)))
    except (ImportError, OSError) as error:  # a library of the system is missing: libEGL, libGLESv2, libportaudio
        print(error)
        return test_bundles.CAN_NOT_RUN
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
