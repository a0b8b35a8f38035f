# SPDX-License-Identifier: Apache-2.0
"""Runs models in LiteRT, in a process that may crash without harm, and compares what they give."""

import atexit
import hashlib
import math
import pathlib
import pickle
import select
import struct
import subprocess
import sys
import time

import numpy as np

WORKER = pathlib.Path(__file__).with_name("litert_worker.py")
TIMEOUT = 300

_worker = None
_results = {}


def run(model, xnnpack, like=None):
    """Allocate and invoke; a dict with `stage` "done", "refused", "crashed" or "timeout", and `message`.

    `like`: the answer for the model to compare with, to get the same inputs."""
    way = like["way"] if like else None
    key = (hashlib.sha256(model).digest(), xnnpack, way)
    if key not in _results:
        _results[key] = _ask({"model": bytes(model), "xnnpack": xnnpack, "way": way})
    return _results[key]


def runs(result):
    return result["stage"] == "done"


def says(result):
    return f"{result['stage']}: {result.get('message', '')}"


def _start():
    global _worker
    if _worker is None or _worker.poll() is not None:
        _worker = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    return _worker


@atexit.register
def stop():
    if _worker is not None and _worker.poll() is None:
        _worker.stdin.close()
        _worker.wait(10)


def _ask(job):
    worker = _start()
    data = pickle.dumps(job)
    try:
        worker.stdin.write(struct.pack("<Q", len(data)) + data)
        worker.stdin.flush()
        deadline = time.monotonic() + TIMEOUT
        head = _read(worker, 8, deadline)
        return pickle.loads(_read(worker, struct.unpack("<Q", head)[0], deadline))
    except (BrokenPipeError, EOFError):
        return {"stage": "crashed", "way": job["way"], "message": f"the runtime ended with code {worker.wait()}"}
    except TimeoutError:
        worker.kill()
        worker.wait()
        return {"stage": "timeout", "way": job["way"], "message": f"no answer in {TIMEOUT} s"}


def _read(worker, count, deadline):
    data = b""
    while len(data) < count:
        ready, _, _ = select.select([worker.stdout], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = worker.stdout.read1(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def snr(reference, result):
    """The worst SNR in dB over the outputs with more than one element; None where none is finite."""
    worst = None
    for key, originals in reference["outputs"].items():
        for want, got in zip(originals, result["outputs"][key], strict=True):
            assert want.shape == got.shape, f"output shape {want.shape} became {got.shape}"
            if want.size < 2 or want.dtype.kind not in "fiu" or not np.isfinite(want).all():
                continue
            assert np.isfinite(got).all(), "an output is no longer finite"
            w, g = want.astype(np.float64), got.astype(np.float64)
            noise, signal = ((w - g) ** 2).sum(), (w**2).sum()
            value = math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal > 0 else -math.inf
            worst = value if worst is None else min(worst, value)
    return worst


def equal(a, b):
    """Bit for bit: the same outputs, types and shapes."""
    if a["outputs"].keys() != b["outputs"].keys():
        return False
    for key in a["outputs"]:
        for x, y in zip(a["outputs"][key], b["outputs"][key], strict=True):
            same = x.tolist() == y.tolist() if x.dtype == object else x.tobytes() == y.tobytes()
            if x.dtype != y.dtype or x.shape != y.shape or not same:
                return False
    return True
