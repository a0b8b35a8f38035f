# SPDX-License-Identifier: Apache-2.0
"""Whether LiteRT loads a model, and with what shapes: asked in a process of its own each time, because it may die
of it."""

import os
import pathlib
import pickle
import struct
import subprocess
import sys

WORKER = pathlib.Path(__file__)
LOADS = "loads"

_worker = None


def verdict(model, xnnpack=False):
    """LOADS, or what the runtime says; "died" where it ended the process."""
    return ask(model, xnnpack)[0]


def ask(model, xnnpack=False):
    """The verdict, and {tensor: shape} of the first subgraph once it is loaded."""
    global _worker
    if _worker is None or _worker.poll() is not None:
        _worker = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    data = pickle.dumps((bytes(model), xnnpack))
    _worker.stdin.write(struct.pack("<Q", len(data)) + data)
    _worker.stdin.flush()
    answer = _worker.stdout.read(struct.unpack("<Q", _worker.stdout.read(8))[0])
    return pickle.loads(answer) if answer else ("died", {})


def _load(litert, model, xnnpack):
    resolver = litert.OpResolverType
    kind = resolver.AUTO if xnnpack else resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        runner = litert.Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=kind)
        runner.allocate_tensors()
        return LOADS, {d["index"]: d["shape"].tolist() for d in runner.get_tensor_details()}
    except Exception as error:  # whatever the runtime raises is the answer
        return f"{type(error).__name__}: {error}", {}


def _main():
    from ai_edge_litert import interpreter as litert

    pipe_in, pipe_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the runtime prints must not come between the answers
    while len(head := pipe_in.read(8)) == 8:
        model, xnnpack = pickle.loads(pipe_in.read(struct.unpack("<Q", head)[0]))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(_load(litert, model, xnnpack), pipe)
            os._exit(0)
        os.close(writer)
        answer = b""
        while part := os.read(reader, 4096):
            answer += part
        os.close(reader)
        os.waitpid(child, 0)
        pipe_out.write(struct.pack("<Q", len(answer)) + answer)
        pipe_out.flush()


if __name__ == "__main__":
    _main()
