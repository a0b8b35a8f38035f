# SPDX-License-Identifier: Apache-2.0
"""A process of its own that runs models, because the runtime may crash on some of them.

Jobs come as pickles on stdin, answers go as pickles to the original stdout."""

import os
import pickle
import struct
import sys
import zlib

import numpy as np
from ai_edge_litert import interpreter as litert


# How inputs are made, tried in this order until the model runs: as it is; with dynamic dimensions
# made large; integers positive; integers zero (indices, divisors, sizes).
WAYS = ("plain", "large", "positive", "zero")


def inputs_for(details, seed, way):
    """Deterministic values by position, type and shape."""
    rng = np.random.default_rng([seed, zlib.crc32(str(details["shape"].tolist()).encode())])
    shape, kind = details["shape"], np.dtype(details["dtype"])
    if kind.kind == "f":
        return rng.uniform(-1, 1, shape).astype(kind)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(kind)
    if kind.kind in "iu":
        small = kind not in (np.int8, np.uint8, np.int16)
        limits = np.iinfo(kind)
        low = 0 if small else limits.min
        high = 1 if small else limits.max
        if way == "positive":
            low, high = 1, 2 if small else limits.max
        if way == "zero":
            low = high = 0
        return rng.integers(low, high + 1, shape).astype(kind)
    return np.full(shape, b"abc", dtype=object)


def resized(details):
    """The shape with 1 for a dynamic batch and 96 for other dynamic dimensions."""
    shape = details["shape"].tolist()
    for i, size in enumerate(details["shape_signature"].tolist()):
        if size == -1:
            shape[i] = 1 if i == 0 else 96
    return shape


def run(job, way):
    resolver = litert.OpResolverType
    kind = resolver.AUTO if job["xnnpack"] else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runner = litert.Interpreter(
        model_content=job["model"], num_threads=1, experimental_op_resolver_type=kind
    )
    answer = {"way": way, "outputs": {}, "signatures": runner.get_signature_list() or {}}
    if way == "large":
        for d in runner.get_input_details():
            runner.resize_tensor_input(d["index"], resized(d))
    runner.allocate_tensors()
    describe = lambda d: (d["name"], np.dtype(d["dtype"]).name, d["shape"].tolist(), d["shape_signature"].tolist())
    answer["inputs"] = [describe(d) for d in runner.get_input_details()]
    answer["results"] = [describe(d) for d in runner.get_output_details()]
    for i, d in enumerate(runner.get_input_details()):
        runner.set_tensor(d["index"], inputs_for(d, i, way))
    runner.invoke()
    answer["outputs"][""] = [np.array(runner.get_tensor(d["index"])) for d in runner.get_output_details()]
    for key in sorted(answer["signatures"]):
        signature = runner.get_signature_runner(key)
        if len(answer["signatures"]) > 1:
            feed = {n: inputs_for(d, i, way) for i, (n, d) in enumerate(sorted(signature.get_input_details().items()))}
            result = signature(**feed)
            answer["outputs"][key] = [np.array(result[n]) for n in sorted(result)]
    answer["stage"] = "done"
    return answer


def try_ways(job):
    first = None
    for way in [job["way"]] if job["way"] else WAYS:
        try:
            return run(job, way)
        except Exception as error:  # whatever the runtime raises is the answer
            first = first or {"stage": "refused", "way": way, "message": f"{type(error).__name__}: {error}"}
    return first


def main():
    pipe_in, pipe_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the runtime prints must not come between the answers
    while True:
        head = pipe_in.read(8)
        if len(head) < 8:
            return
        job = pickle.loads(pipe_in.read(struct.unpack("<Q", head)[0]))
        data = pickle.dumps(try_ways(job))
        pipe_out.write(struct.pack("<Q", len(data)) + data)
        pipe_out.flush()


if __name__ == "__main__":
    main()
