# SPDX-License-Identifier: Apache-2.0
"""One table of how good the results are: for each model and recipe its size, the SNR of each output in LiteRT
against the original, the time of an inference over the original's, and the time that quantizing took.

SNR: 10 log10(sum y^2 / sum (y - y')^2) over six inputs together. Latency: XNNPACK, one thread, the two
models in turns in one process."""

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
for folder in (HERE, PROJECT / "test" / "models", PROJECT / "test" / "bench"):
    sys.path.insert(0, str(folder))

import block_models  # noqa: E402
import inputs  # noqa: E402
import models  # noqa: E402
import schema  # noqa: E402
import tables  # noqa: E402
import verdict  # noqa: E402
import views  # noqa: E402
import worker  # noqa: E402
from recipes import COLUMNS, DONE, UNCHANGED, available  # noqa: E402

LATENCY_SECONDS = 1.0
SHORT_SECONDS = 0.3  # for small models
LATENCY_LIMIT = 1.05  # what is above it is measured again, longer


@dataclasses.dataclass
class Subject:
    """A model: `raw` is what is quantized, `looked_at` the file of what is run in its place."""

    name: str
    raw: bytes
    path: pathlib.Path
    looked_at: pathlib.Path
    row: dict


class Accuracy:
    def __init__(self, arguments, folder):
        self.tool = arguments.build / "examples" / "tfquant"
        self.folder, self.arguments = folder, arguments
        known, self.notes = available(self.tool)
        self.columns = [c for c in known if not arguments.recipes or c.key in arguments.recipes]
        self.local = threading.local()
        self.workers = []
        self.rows = []

    # --- models ---

    def sources(self):
        found, self.origin = models.find()
        every = {name: path.read_bytes for name, path in found.items()}
        every |= {f"made/{name}": make for name, make in block_models.MODELS.items()}
        pattern = self.arguments.models
        return {n: make for n, make in every.items() if pattern is None or pattern.search(n)}

    def worker(self):
        if not hasattr(self.local, "worker"):
            self.local.worker = worker.Worker()
            self.workers.append(self.local.worker)
        return self.local.worker

    def one(self, number, name, make):
        """The row of a model, but for latencies."""
        raw = make()
        path = self.folder / f"{number}.tflite"
        looked_at = self.folder / f"{number}.seen.tflite"
        path.write_bytes(raw)
        row = {"model": name, "bytes": len(raw), "stored": stored_type(raw), "remark": views.remark(name, raw), "recipes": {}}
        looked_at.write_bytes(views.view(name, raw))
        answer = self.worker().ask("reference", model=str(looked_at), name=name)
        if "refused" in answer:
            row["refused"] = first_line(answer["refused"])
            return Subject(name, raw, path, looked_at, row)
        row |= {"way": answer["way"], "elements": answer["elements"], "inputs": answer["inputs"]}
        subject = Subject(name, raw, path, looked_at, row)
        for column in self.columns:
            row["recipes"][column.key] = self.quantized(subject, column)
        print(f"{name}", file=sys.stderr, flush=True)
        return subject

    def quantized(self, subject, column):
        options = list(column.options)
        if column.pictures:
            given = subject.row["inputs"]
            if len(given) != 1 or not given[0]["picture"]:
                return {"left_out": "not one picture is what it takes"}
            samples = subject.path.with_suffix(".pictures")
            inputs.write_calibration(subject.name, given[0]["shape"], samples)
            options += ["--data", str(samples)]
        made = subject.path.with_suffix(f".{column.key.replace(' ', '_')}.made")
        command = [str(self.tool), "quantize", str(subject.path), "-o", str(made), "-f", "-q", *options]
        start = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=1800)
        except subprocess.TimeoutExpired:
            return {"failed": "not done in half an hour"}
        result = {"seconds": time.monotonic() - start}
        if done.returncode == UNCHANGED:
            return result | {"unchanged": True, "bytes": len(subject.raw), "ratio": 1.0}
        if done.returncode != DONE:
            return {"failed": f"exit code {done.returncode}: {first_line(done.stderr)}"}
        raw = made.read_bytes()
        result |= {"unchanged": False, "bytes": len(raw), "ratio": len(raw) / len(subject.raw)}
        made.write_bytes(views.view(subject.name, raw))
        result["file"] = str(made)
        row = subject.row
        answer = self.worker().ask(
            "compare", original=str(subject.looked_at), model=str(made), name=subject.name, way=row["way"]
        )
        if "refused" in answer:
            return result | {"failed": first_line(answer["refused"])}
        return result | {"snr": answer["snr"], "worst": verdict.worst(answer["snr"], row["elements"])}

    def time_inferences(self, subject):
        seconds = LATENCY_SECONDS if len(subject.raw) >= verdict.LARGE else SHORT_SECONDS
        for column in self.columns:
            result = subject.row["recipes"].get(column.key, {})
            if "file" not in result or "failed" in result:
                continue
            job = {
                "original": str(subject.looked_at), "model": result["file"], "name": subject.name,
                "way": subject.row["way"],
            }
            answer = self.worker().ask("latency", seconds=seconds, **job)
            if answer.get("ratio", 0) > LATENCY_LIMIT:
                answer = self.worker().ask("latency", seconds=5 * seconds, **job)
            if "refused" in answer:
                result["failed"] = first_line(answer["refused"])
            else:
                result["latency"] = answer

    def run(self):
        sources = self.sources()
        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            jobs = [pool.submit(self.one, i, *item) for i, item in enumerate(sources.items())]
            subjects = [job.result() for job in jobs]
        if not self.arguments.no_latency:
            print("latencies", file=sys.stderr, flush=True)
            for subject in subjects:
                if "refused" not in subject.row:
                    self.time_inferences(subject)
        for each in self.workers:
            each.end()
        self.rows = [subject.row for subject in subjects]
        for row in self.rows:
            for result in row["recipes"].values():
                result.pop("file", None)


def stored_type(raw):
    """"float16" or "float32": what most of a model's float constants are; "other" where there are none."""
    model, sizes = schema.Model(raw), {}
    for graph in model.t.subgraphs:
        for tensor in schema.listed(graph.tensors):
            if tensor.type in (schema.FLOAT16, schema.FLOAT32):
                sizes[tensor.type] = sizes.get(tensor.type, 0) + len(model.data(tensor.buffer))
    if not any(sizes.values()):
        return "other"
    return "float16" if sizes.get(schema.FLOAT16, 0) > sizes.get(schema.FLOAT32, 0) else "float32"


def first_line(text):
    return " ".join((text.strip().splitlines() or ["no message"])[0].split())[:200]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="sh test/accuracy.sh", description=__doc__)
    keys = [c.key for c in COLUMNS]
    parser.add_argument("--models", metavar="PATTERN", help="only models whose name has a match of this regular expression")
    parser.add_argument("--recipes", metavar="LIST", help=f"only these, with commas between: {', '.join(keys)}")
    parser.add_argument("--no-latency", action="store_true", help="run no model for its time")
    parser.add_argument("--jobs", type=int, default=1, help="models treated at once (1); latencies are measured one by one")
    parser.add_argument("--readme", action="store_true", help="put the tables into README.md as well")
    parser.add_argument("--build", type=pathlib.Path, default=PROJECT / "build", help="the build to measure (build)")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    arguments.recipes = [name.strip() for name in arguments.recipes.split(",")] if arguments.recipes else []
    unknown = [name for name in arguments.recipes if name not in keys]
    if unknown or arguments.jobs < 1:
        parser.error(f"there is no {', '.join(unknown)}" if unknown else "--jobs must be at least 1")
    try:
        arguments.models = arguments.models and re.compile(arguments.models)
    except re.error as error:
        parser.error(f"--models: {error}")
    if arguments.readme and (arguments.models or arguments.recipes or arguments.no_latency):
        parser.error("--readme is for the whole table")
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the temporary files go
    reason = inputs.missing()
    if reason:
        sys.exit(f"accuracy: {reason}")
    with tempfile.TemporaryDirectory(prefix="tfquant-accuracy-") as folder:
        accuracy = Accuracy(arguments, pathlib.Path(folder))
        accuracy.run()
    if not accuracy.rows:
        sys.exit("accuracy: --models leaves none" if arguments.models else f"accuracy: {accuracy.origin}")
    lines = verdict.lines(accuracy.rows)
    page = tables.Page(accuracy.tool, accuracy.origin, accuracy.columns, accuracy.rows, lines, accuracy.notes)
    text = page.full()
    print(text, end="")
    part = arguments.models or arguments.recipes or arguments.no_latency
    stem = arguments.build / ("accuracy-part" if part else "accuracy")
    stem.with_suffix(".md").write_text(text)
    stem.with_suffix(".json").write_text(json.dumps(tables.plain(page.data()), indent=1) + "\n")
    if arguments.readme:
        tables.update_readme(PROJECT / "README.md", page.for_readme())
    return 1 if any("failed" in r for row in accuracy.rows for r in row["recipes"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
