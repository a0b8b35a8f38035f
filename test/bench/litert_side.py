# SPDX-License-Identifier: Apache-2.0
"""litert-quantizer's side of the benchmark, in a process of its own.

    litert_side.py fold INPUT OUTPUT    unpacks float16 and sparse constants to plain float32
    litert_side.py serve                quantizes what the lines of standard input name, as JSON
                                        {"model", "output", "recipe"}, and answers each with
                                        {"seconds", "bytes"} (bytes: peak resident memory so far)
    litert_side.py infer MODEL          runs it for each line of standard input, and answers with the
                                        same: the median of several inferences, XNNPACK, one thread
"""

import gc
import json
import os
import pathlib
import resource
import statistics
import sys
import time

INFERENCES = 20


def fold(source, target):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models"))
    import reference

    pathlib.Path(target).write_bytes(reference.fold(pathlib.Path(source).read_bytes()))


def answer_pipe():
    """Answers go where standard output went; what packages print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answers


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def infer(model):
    from ai_edge_litert import interpreter as litert

    answers = answer_pipe()
    runner = litert.Interpreter(model_path=model, num_threads=1)
    runner.allocate_tensors()
    runner.invoke()
    for _ in sys.stdin:
        times = []
        for _ in range(INFERENCES):
            start = time.monotonic()
            runner.invoke()
            times.append(time.monotonic() - start)
        print(json.dumps({"seconds": statistics.median(times), "bytes": peak()}), file=answers, flush=True)


def serve():
    from litert_quantizer import quantizer

    answers = answer_pipe()
    for line in sys.stdin:
        job = json.loads(line)
        gc.collect()
        try:
            start = time.monotonic()
            run = quantizer.Quantizer(job["model"], job["recipe"])
            # The package's quickest way to a file: save() of the result copies once more.
            run.quantize(serialize_to_path=job["output"], enable_progress_bar=False, enable_progress_report=False)
            seconds = time.monotonic() - start
            del run
            answer = {"seconds": seconds, "bytes": peak()}
        except Exception as error:  # what it can't do is a result here
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif len(sys.argv) == 3 and sys.argv[1] == "infer":
        infer(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "fold":
        fold(*sys.argv[2:])
    else:
        sys.exit(__doc__)
