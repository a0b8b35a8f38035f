# SPDX-License-Identifier: Apache-2.0
"""litert-quantizer's side of the benchmark, in a process of its own.

    litert_side.py fold INPUT OUTPUT    unpacks float16 and sparse constants to plain float32
    litert_side.py serve                quantizes what the lines of standard input name, as JSON
                                        {"model", "output", "recipe"}, and answers each with
                                        {"seconds", "bytes"} (bytes: peak resident memory so far)
"""

import gc
import json
import os
import pathlib
import resource
import sys
import time


def fold(source, target):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models"))
    import reference

    pathlib.Path(target).write_bytes(reference.fold(pathlib.Path(source).read_bytes()))


def serve():
    from litert_quantizer import quantizer

    # Answers go where standard output went; what the package prints goes nowhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
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
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer = {"seconds": seconds, "bytes": peak * (1 if sys.platform == "darwin" else 1024)}
        except Exception as error:  # what it can't do is a result here
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif len(sys.argv) == 4 and sys.argv[1] == "fold":
        fold(*sys.argv[2:])
    else:
        sys.exit(__doc__)
