# SPDX-License-Identifier: Apache-2.0
"""Runs models in LiteRT, with XNNPACK, on one thread. Run as a program it is the process that the
runtime may crash in: jobs come as pickles on standard input, answers go as pickles to standard output."""

import math
import os
import pathlib
import pickle
import random
import select
import statistics
import struct
import subprocess
import sys
import time

import numpy as np

MODELS = pathlib.Path(__file__).resolve().parents[1] / "models"
sys.path.insert(0, str(MODELS))

import inputs  # noqa: E402
import litert_worker  # noqa: E402

TIMEOUT = 600
ROUND_SECONDS = 0.004  # so long each side runs before it is the other's turn
LEAST_ROUNDS, MOST_ROUNDS = 15, 400


# --- in the process of its own ---


def load(path):
    from ai_edge_litert import interpreter as litert

    return litert.Interpreter(model_path=str(path), num_threads=1)


def prepared(path, name, way):
    """(interpreter, its feeds), allocated for the shapes that it is run with."""
    runner = load(path)
    for details in runner.get_input_details():
        shape = inputs.shape_of(details)
        if way == "large" and not inputs.is_picture(details):
            shape = litert_worker.resized(details)
        if shape != details["shape"].tolist():
            runner.resize_tensor_input(details["index"], shape)
    runner.allocate_tensors()
    return runner, inputs.feeds(name, runner.get_input_details(), way)


def set_inputs(runner, feed):
    for details, value in zip(runner.get_input_details(), feed):
        runner.set_tensor(details["index"], value)


def run(path, name, way):
    """(what is known of the inputs, {output: array of the values of all runs})"""
    runner, feeds = prepared(path, name, way)
    found = {}
    for feed in feeds:
        set_inputs(runner, feed)
        runner.invoke()
        for place, details in enumerate(runner.get_output_details()):
            found.setdefault(f"{place}", []).append(np.array(runner.get_tensor(details["index"])))
    signatures = sorted(runner.get_signature_list() or {})
    for key in signatures if len(signatures) > 1 else ():
        signature = runner.get_signature_runner(key)
        details = sorted(signature.get_input_details().items())
        for feed in inputs.feeds(name, [d for _, d in details], way):
            result = signature(**{n: value for (n, _), value in zip(details, feed)})
            for output in sorted(result):
                found.setdefault(f"{key}:{output}", []).append(np.array(result[output]))
    described = [
        {"shape": inputs.shape_of(d), "picture": inputs.is_picture(d)} for d in runner.get_input_details()
    ]
    return described, found


def reference(job):
    """Runs the model in the first way in which it runs."""
    first = None
    for way in litert_worker.WAYS:
        try:
            described, found = run(job["model"], job["name"], way)
            _kept.clear()
            _kept[job["model"], job["name"], way] = found
            elements = {key: int(values[0].size) for key, values in found.items()}
            return {"way": way, "inputs": described, "elements": elements}
        except Exception as error:  # whatever the runtime raises is the answer
            first = first or {"refused": f"{type(error).__name__}: {error}"}
    return first


_kept = {}


def compare(job):
    """The SNR of each output over all runs, in dB; None: it holds no numbers."""
    key = job["original"], job["name"], job["way"]
    if key not in _kept:
        _kept.clear()
        _kept[key] = run(*key)[1]
    _, found = run(job["model"], job["name"], job["way"])
    if found.keys() != _kept[key].keys():
        return {"refused": f"outputs {list(_kept[key])} became {list(found)}"}
    return {"snr": {output: ratio(values, found[output]) for output, values in _kept[key].items()}}


def ratio(originals, results):
    signal = noise = 0.0
    for want, got in zip(originals, results, strict=True):
        if want.dtype.kind not in "fiu":
            return None
        if want.shape != got.shape:
            raise ValueError(f"an output's shape {want.shape} became {got.shape}")
        want, got = want.astype(np.float64), got.astype(np.float64)
        fine = np.isfinite(want)
        if not np.isfinite(got[fine]).all():
            return -math.inf
        signal += (want[fine] ** 2).sum()
        noise += ((want[fine] - got[fine]) ** 2).sum()
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def timed(runner, count):
    """Seconds of the processor: on one thread those are the latency, less what other processes took from it."""
    start = time.process_time()
    for _ in range(count):
        runner.invoke()
    return (time.process_time() - start) / count


def latency(job):
    """Both models run in turns, in random order: a regular one can fall in step with the scheduler. Medians."""
    sides = []
    for path in (job["original"], job["model"]):
        runner, feeds = prepared(path, job["name"], job["way"])
        set_inputs(runner, feeds[0])
        runner.invoke()
        sides.append(runner)
    counts = [max(1, round(ROUND_SECONDS / max(timed(side, 2), 1e-7))) for side in sides]
    times, start, order = ([], []), time.perf_counter(), random.Random(1)
    while len(times[0]) < MOST_ROUNDS:
        if len(times[0]) >= LEAST_ROUNDS and time.perf_counter() - start > job["seconds"]:
            break
        for side in order.sample((0, 1), 2):
            times[side].append(timed(sides[side], counts[side]))
    original, quantized = (statistics.median(each) for each in times)
    return {"original": original, "quantized": quantized, "ratio": quantized / original}


JOBS = {"reference": reference, "compare": compare, "latency": latency}


def main():
    pipe_in, pipe_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the runtime prints must not come between the answers
    while len(head := pipe_in.read(8)) == 8:
        job = pickle.loads(pipe_in.read(struct.unpack("<Q", head)[0]))
        try:
            answer = JOBS[job["job"]](job)
        except Exception as error:  # this too is an answer
            answer = {"refused": f"{type(error).__name__}: {error}"}
        data = pickle.dumps(answer)
        pipe_out.write(struct.pack("<Q", len(data)) + data)
        pipe_out.flush()


# --- in the process that asks ---


class Worker:
    """A process that is started anew when it has crashed."""

    def __init__(self):
        self.process = None

    def ask(self, job, **more):
        """The answer, a dict; with "refused", and why, when there is none."""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        data = pickle.dumps({"job": job, **more})
        try:
            self.process.stdin.write(struct.pack("<Q", len(data)) + data)
            self.process.stdin.flush()
            return pickle.loads(self._read(struct.unpack("<Q", self._read(8))[0]))
        except (BrokenPipeError, EOFError):
            return {"refused": f"the runtime crashed with code {self.process.wait()}"}
        except TimeoutError:
            self.process.kill()
            self.process.wait()
            return {"refused": f"no answer in {TIMEOUT} s"}

    def _read(self, count):
        data, deadline = b"", time.monotonic() + TIMEOUT
        while len(data) < count:
            if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = self.process.stdout.read1(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


if __name__ == "__main__":
    main()
