# SPDX-License-Identifier: Apache-2.0
"""One table of ratios, each measured side by side in one run: how fast, how large, at what cost.

The runs that are compared take turns, in an order that changes, after one turn that does not count,
and each of them after a cp that does not count. A ratio is the median of the ratios of the turns;
times and memory beside it are medians of their own."""

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
RECIPE = "weight_only_wi8_afp32"
GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10
KERNEL_SOURCE_MIB = 256  # out of any cache
HUGE_LAYERS, WIDTH = 44, 4096


class Failed(Exception):
    """A run that went wrong; the row says so, and the others go on."""


def note(text):
    print(text, file=sys.stderr, flush=True)


# --- rows ---


@dataclasses.dataclass
class Row:
    name: str
    ratio: float | None = None
    ours: str = ""
    other: str = ""
    demand: str = ""
    met: bool | None = None
    failure: str = ""

    def cells(self):
        if self.failure:
            return [self.name, "failed", self.ours, self.other, self.demand, "no" if self.demand else ""]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}" if self.ratio < 100 else f"{self.ratio:.0f}"
        return [self.name, ratio, self.ours, self.other, self.demand, {None: "", True: "yes", False: "no"}[self.met]]


@dataclasses.dataclass(frozen=True)
class Demand:
    """What is asked of a ratio, or of our own side of it."""

    text: str
    of: str  # "ratio", "ours" (seconds or bytes)
    least: float = float("-inf")
    most: float = float("inf")

    def met(self, ratio, ours):
        return self.least <= (ratio if self.of == "ratio" else ours) <= self.most


def ratio_from(least):
    return Demand(f"≥ {least}", "ratio", least=least)


def ratio_to(most):
    return Demand(f"≤ {most}", "ratio", most=most)


def show_seconds(seconds):
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def show_bytes(size):
    return f"{size / MIB:.0f} MiB" if size >= 100 * MIB else f"{size / MIB:.1f} MiB"


def show_file_size(size):
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 2e7 else f"{size / 1e6:.1f} MB"


# --- threads ---


def thread_counts(cores):
    return [1] + ([2] if cores > 1 else []) + ([cores] if cores > 2 else [])


def words(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


# --- kernels ---

KERNEL_DEMANDS = {
    "absmax + f32 -> s8": 1.2,
    "absmax + f16 -> s8": 0.8,
    "f32 -> s4, blocks of 32": 1.0,
    "columns, absmax + f32 -> s8, [9][256]": 0.5,
    "columns, absmax + f32 -> s8, [4096][256]": 0.5,
}


def kernel_lines(program, mebibytes, threads):
    """(levels, [(family, ratios by level, GB/s of memcpy)]) from what bench_kernels prints."""
    done = subprocess.run([program, str(mebibytes), str(threads)], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    head = re.match(r"bytes of source / memcpy\s+(.*\S)\s+memcpy GB/s$", lines[0]) if lines else None
    if done.returncode or not head:
        raise Failed(f"{program.name} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    levels = head[1].split()
    families = []
    for line in lines[1:]:
        name, *values = line.rsplit(None, len(levels) + 1)
        families.append((name.strip(), [float(v) for v in values[:-1]], float(values[-1])))
    return levels, families


def kernel_name(level, threads, family):
    return f"kernel, {level}, {words(threads)}: {family}"


def kernel_rows(bench):
    program = bench.build / "test" / "kernels" / "bench_kernels"
    for threads in thread_counts(bench.cores):
        try:
            levels, families = kernel_lines(program, threads, threads)  # for the names
            if not any(bench.wants(kernel_name(level, threads, name)) for name, *_ in families for level in levels):
                continue
            note(f"kernels, {words(threads)}")
            levels, families = kernel_lines(program, KERNEL_SOURCE_MIB, threads)
        except (Failed, OSError) as error:
            bench.add(Row(f"kernel, {words(threads)}: all", failure=str(error)))
            continue
        for name, ratios, memcpy in families:
            for level, ratio in zip(levels, ratios):
                row = Row(kernel_name(level, threads, name), ratio, f"{ratio * memcpy:.1f} GB/s", f"{memcpy:.1f} GB/s")
                # The last level is the one that the library takes here.
                if level == levels[-1] and threads == 1 and name in KERNEL_DEMANDS:
                    demand = ratio_from(KERNEL_DEMANDS[name])
                    row.demand, row.met = demand.text, demand.met(ratio, None)
                bench.add(row)


# --- size ---


def sections(program):
    """{name: bytes} of what is loaded of an ELF file."""
    text = subprocess.run(["size", "-A", program], capture_output=True, text=True, check=True).stdout
    found = (line.split() for line in text.splitlines())
    return {f[0]: int(f[1]) for f in found if len(f) == 3 and f[1].isdigit() and int(f[2]) != 0}


def size_rows(bench):
    name = "size: .text + .rodata of a program that loads, quantizes and saves, over an empty one"
    total = "size: all that is loaded (unwind tables, relocations, data) of the same"
    if not bench.wants(name) and not bench.wants(total):
        return
    try:
        with_library, without = (sections(bench.tool(p)) for p in ("library_size", "empty_program"))
    except (OSError, subprocess.CalledProcessError) as error:
        bench.skip("size", f"the sections of programs can't be read: {error}")
        return
    if ".rodata" not in with_library:
        bench.skip("size", "the programs here are not ELF files")
        return
    share = [sum(v for k, v in s.items() if re.match(r"\.(text|rodata)\b", k)) for s in (with_library, without)]
    loaded = [sum(s.values()) for s in (with_library, without)]
    for row, (ours, other), limit in ((name, share, 256), (total, loaded, None)):
        difference = (ours - other) / KIB
        bench.add(
            Row(
                row,
                ours / other,
                f"{ours / KIB:.1f} KiB",
                f"{other / KIB:.1f} KiB",
                f"difference ≤ {limit} KiB, is {difference:.1f}" if limit else f"difference is {difference:.1f} KiB",
                difference <= limit if limit else None,
            )
        )


# --- whole runs ---


@dataclasses.dataclass(frozen=True)
class Run:
    seconds: float
    bytes: int  # peak resident


class Command:
    """A program that is started anew each time. {out} in an argument is the file that it makes."""

    def __init__(self, bench, arguments, makes="{out}"):
        self.bench, self.arguments, self.makes = bench, [str(a) for a in arguments], makes

    def run(self, out):
        arguments = [a.replace("{out}", str(out)).replace("{folder}", str(out.parent)) for a in self.arguments]
        made = self.makes and pathlib.Path(self.makes.replace("{out}", str(out)).replace("{folder}", str(out.parent)))
        try:
            done = subprocess.run([self.bench.tool("timed_run"), *arguments], capture_output=True, text=True)
            seconds, peak, code = done.stdout.split() if done.returncode == 0 else (0, 0, -1)
            if int(code) != 0 or (made and not made.stat().st_size):
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise Failed(f"{pathlib.Path(arguments[0]).name} ended with code {code}: {last}")
        finally:
            if made:
                made.unlink(missing_ok=True)
        return Run(float(seconds), int(peak))

    def end(self):
        pass


class Side:
    """A process that stays, has imported its package, and is asked with a line for each run."""

    def __init__(self, what, job, *words):
        self.what, self.job = what, job
        self.process = subprocess.Popen(
            [sys.executable, HERE / "litert_side.py", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, out):
        try:
            print(json.dumps(self.job | {"output": str(out)}), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except BrokenPipeError:
            answer = {"error": "the process ended"}
        finally:
            out.unlink(missing_ok=True)
        if "error" in answer:
            raise Failed(f"{self.what}: {answer['error'][:200]}")
        return Run(answer["seconds"], answer["bytes"])

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@dataclasses.dataclass(frozen=True)
class Comparison:
    name: str
    ours: str  # of the contenders
    other: str
    what: str  # "time": ours / other; "speed": the inverse; "memory"
    demand: Demand | None = None

    def row(self, runs, failures):
        row = Row(self.name, demand=self.demand.text if self.demand else "")
        if self.ours in failures or self.other in failures:
            row.failure = failures.get(self.ours) or failures[self.other]
            return row
        pick = (lambda run: run.bytes) if self.what == "memory" else (lambda run: run.seconds)
        ours, other = ([pick(run) for run in runs[side]] for side in (self.ours, self.other))
        ratios = [b / a if self.what == "speed" else a / b for a, b in zip(ours, other)]
        row.ratio = statistics.median(ratios)
        show = show_bytes if self.what == "memory" else show_seconds
        row.ours, row.other = show(statistics.median(ours)), show(statistics.median(other))
        if self.demand:
            row.met = self.demand.met(row.ratio, statistics.median(ours))
        return row


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    path: pathlib.Path
    for_litert: pathlib.Path  # what litert-quantizer reads


LIBRARY, COMMAND = "litert-quantizer, library", "litert-quantizer, command"
INT8, LITTLE_EFFORT, INFERENCE = "tfquant -r int8", "tfquant -r int8 --effort fast", "an inference"
INT8_ALONE = f"{INT8} -T 1"


def comparisons(title, cores, folded_for_litert, demands):
    """`demands` has those of the model by (subject, all threads or not)."""
    found = []

    def add(name, ours, other, what, demand=None):
        found.append(Comparison(f"{title}: {name}", ours, other, what, demands.get(demand)))

    counts = thread_counts(cores)
    all_of_them, whole = words(counts[-1]), f"tfquant -T {counts[-1]}"
    remark = " on its float32 form" if folded_for_litert else ""
    for n in counts:
        best = n == counts[-1]
        add(f"time over cp, {words(n)}", f"tfquant -T {n}", "cp", "time", "cp" if best else None)
        for other in (LIBRARY, COMMAND):
            add(f"speed over {other}{remark}, {words(n)}", f"tfquant -T {n}", other, "speed", other if best else None)
    if "start" in demands:
        add(f"time over a program that does nothing, {all_of_them}", whole, "nothing", "time", "start")
    for n in counts[1:]:
        name = f"speed of the conversion alone (--dry-run), {words(n)} over 1"
        add(name, f"dry -T {n}", "dry -T 1", "speed", "scaling" if n == 2 else None)
    for n in counts:
        add(f"peak memory over cp, {words(n)}", f"tfquant -T {n}", "cp", "memory", "memory")
    for other in (LIBRARY, COMMAND):
        add(f"peak memory over {other}{remark}, {all_of_them}", whole, other, "memory")
    small = f"tfquant --max-memory 32M -T {counts[-1]}"
    add(f"time with --max-memory 32M over without, {all_of_them}", small, whole, "time", "works")
    add(f"peak memory with --max-memory 32M over without, {all_of_them}", small, whole, "memory", "memory")
    return found


def contender(bench, key, model):
    tool = bench.build / "examples" / "tfquant"
    if key in (INT8, INT8_ALONE, LITTLE_EFFORT):
        return Command(bench, [bench.executor, "quantize", model.path, "-o", "{out}", *key.split()[1:]])
    if key == INFERENCE:
        return Side("LiteRT", {}, "infer", model.path)
    if key == "cp":
        return Command(bench, [*bench.cp, model.path, "{out}"])
    if key == "nothing":
        return Command(bench, [bench.tool("empty_program")], makes=None)
    if key == LIBRARY:
        return Side("litert-quantizer", {"model": str(model.for_litert), "recipe": RECIPE}, "serve")
    if key == COMMAND:
        # Starts as the installed script does, wherever that is.
        start = "from litert_quantizer.litert_quantizer import cli_main; cli_main()"
        arguments = [sys.executable, "-c", start, "--model_file", model.for_litert, "--recipe", RECIPE]
        makes = f"{{folder}}/{model.for_litert.stem}_{RECIPE}.tflite"
        return Command(bench, [*arguments, "--output_dir", "{folder}", "--overwrite_outputs"], makes)
    options = key.split()[1:]
    if key.startswith("dry"):
        return Command(bench, [tool, "quantize", model.path, "--dry-run", "-r", RECIPE, *options], makes=None)
    return Command(bench, [tool, "quantize", model.path, "-o", "{out}", "-r", RECIPE, *options])


def whole_rows(bench, wanted, model):
    keys = list(dict.fromkeys(key for c in wanted for key in (c.ours, c.other)))
    note(f"{model.name}: {', '.join(keys)}")
    out = bench.folder / "out" / "made.tflite"
    out.parent.mkdir(exist_ok=True)
    contenders = {key: contender(bench, key, model) for key in keys}
    # A run's time depends on what the last one left: pages to be written, and memory that a virtual
    # machine has given back. So all of them come after the same.
    before = Command(bench, [*bench.cp, model.path, "{out}"])
    runs, failures = {key: [] for key in keys}, {}
    try:
        for turn in range(-1, bench.turns):
            # After some programs the machine is slower for a while: no other always follows them.
            for key in random.Random(turn).sample(keys, len(keys)):
                if key in failures:
                    continue
                try:
                    before.run(out)
                    os.sync()
                    run = contenders[key].run(out)
                except (Failed, OSError) as error:
                    failures[key] = str(error)
                    continue
                if turn >= 0:
                    runs[key].append(run)
    finally:
        for each in contenders.values():
            each.end()
    for comparison in wanted:
        bench.add(comparison.row(runs, failures))


def measure(bench, title, demands, prepare, needs, folded_for_litert=False):
    """`prepare` gives the Model, and is called only if a row of it is wanted; `needs` is its bytes."""
    found = [c for c in comparisons(title, bench.cores, folded_for_litert, demands) if bench.wants(c.name)]
    if not bench.litert:
        usable = [c for c in found if c.other not in (LIBRARY, COMMAND)]
        if len(usable) < len(found):
            bench.skip(f"{title}: over litert-quantizer", "the Python here has no package litert_quantizer")
        found = usable
    if not found:
        return
    free = shutil.disk_usage(bench.folder).free
    if free < 3.3 * needs:
        space = f"needs {3.3 * needs / 1e9:.1f} GB for temporary files, and there are {free / 1e9:.1f} GB"
        bench.skip(title, f"{space} (TMPDIR says where)")
        return
    available = available_memory()
    if available is not None and available < 3 * needs:
        bench.remarks.append(f"{title}: {available / GIB:.1f} GiB of memory are too few to count on a warm page cache.")
    try:
        model = prepare()
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        for comparison in found:
            bench.add(Row(comparison.name, failure=f"making the model: {error}"))
        return
    whole_rows(bench, found, model)


def made(bench, name, layers, width):
    path = bench.folder / f"{name}.tflite"
    subprocess.run([bench.tool("make_layers"), path, str(layers), str(width)], check=True)
    return Model(name, path, path)


def folded(bench, source):
    path = bench.folder / f"{source.stem}_float32.tflite"
    if not path.exists():
        command = [sys.executable, HERE / "litert_side.py", "fold", source, path]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"folding: {done.stderr.strip()[-200:]}")
    return path


def hand_landmark():
    sys.path.insert(0, str(PROJECT / "test" / "models"))
    import models

    found, _ = models.find()
    return next((path for path in found.values() if path.stem == "hand_landmark_full"), None)


HAND, FOLDED = "hand_landmark_full (small, float16)", "hand_landmark_full folded to float32"


def small_rows(bench):
    start = Demand("ours ≤ 15 ms", "ours", most=0.015)
    demands = {"start": start, COMMAND: ratio_from(25)}
    if not any(bench.wants(c.name) for title in (HAND, FOLDED) for c in comparisons(title, bench.cores, True, demands)):
        return
    path = hand_landmark()
    if path is None:
        bench.skip("hand_landmark_full", "the model is not there; a chain of layers of that size stands in for it")
        size = 5 * 4 * 512 * 512
        measure(bench, f"small, {show_file_size(size)}", demands, lambda: made(bench, "small", 5, 512), size)
        return

    def as_it_is():
        # litert-quantizer leaves float16 models as they are.
        return Model(HAND, path, folded(bench, path) if bench.litert else path)

    def in_float32():
        return Model(FOLDED, folded(bench, path), folded(bench, path))

    size = path.stat().st_size
    measure(bench, HAND, demands, as_it_is, 2 * size, folded_for_litert=True)
    if bench.litert:
        measure(bench, FOLDED, {}, in_float32, 2 * size)


def int8_rows(bench):
    """What the recipe int8 costs, which runs the model; over running it in LiteRT."""
    title = "hand_landmark_full"
    most = lambda text, value: Demand(f"ours ≤ {text}", "ours", most=value)
    wanted = [
        Comparison(f"{title}: time of int8 over one inference in LiteRT", INT8, INFERENCE, "time", most("10 s", 10)),
        Comparison(f"{title}: peak memory of int8 over cp", INT8, "cp", "memory", most("300 MiB", 300 * MIB)),
        Comparison(
            f"{title}: time of int8 --effort fast over one inference in LiteRT", LITTLE_EFFORT, INFERENCE, "time",
            most("50 ms", 0.05),
        ),
    ]
    if bench.cores > 1:
        wanted.append(Comparison(f"{title}: speed of int8, {words(bench.cores)} over 1", INT8, INT8_ALONE, "speed"))
    wanted = [c for c in wanted if bench.wants(c.name)]
    if not wanted:
        return
    path, lacking = hand_landmark(), []
    recipes = output_of(bench.executor, "recipes") or ""
    if path is None:
        lacking.append("the model is not there")
    if not re.search(r"^int8\s", recipes, re.MULTILINE):
        lacking.append(f"there is no build with the executor, or it has no recipe int8: {bench.executor}")
    if importlib.util.find_spec("ai_edge_litert") is None:
        lacking.append("the Python here has no package ai_edge_litert")
    if lacking:
        bench.skip("int8", "; ".join(lacking))
        return
    if "--effort" not in (output_of(bench.executor, "quantize", "--help") or ""):
        bench.skip("int8 --effort fast", "the program has no option --effort")
        wanted = [c for c in wanted if c.ours != LITTLE_EFFORT]
    if wanted:
        whole_rows(bench, wanted, Model(title, path, path))


def medium_rows(bench):
    layers, width = 7, 2048
    size = layers * 4 * width * width
    measure(bench, f"medium, {show_file_size(size)}", {}, lambda: made(bench, "medium", layers, width), size)


def huge_rows(bench):
    demands = {
        "cp": ratio_to(0.35),
        LIBRARY: ratio_from(20),
        COMMAND: ratio_from(20),
        "scaling": ratio_from(1.6),
        "memory": Demand("ours ≤ 128 MiB", "ours", most=128 * MIB),
        "works": Demand("works", "ours"),
    }
    size = bench.layers * 4 * WIDTH * WIDTH
    title = f"huge, {show_file_size(size)}"
    if not bench.quick:
        measure(bench, title, demands, lambda: made(bench, "huge", bench.layers, WIDTH), size)
    elif any(bench.wants(c.name) for c in comparisons(title, bench.cores, False, demands)):
        bench.skip("huge", "left out by --quick")


# --- the machine ---


def first_match(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return found and found[1].strip()


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def processor():
    return (
        first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
        or first_match("/proc/device-tree/model", r"([^\0]*)")
        or output_of("sysctl", "-n", "machdep.cpu.brand_string")
        or platform.machine()
    )


def available_memory():
    kibibytes = first_match("/proc/meminfo", r"^MemAvailable:\s*(\d+)")
    return kibibytes and int(kibibytes) * KIB


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine(bench):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    filesystem = (output_of("df", "--output=fstype", bench.folder) or "").splitlines()[-1:] or ["unknown"]
    tool = output_of(bench.build / "examples" / "tfquant", "--version") or "tfquant"
    versions = [tool, f"Python {platform.python_version()}"]
    if bench.litert:
        versions.append(f"litert-quantizer {importlib.metadata.version('litert-quantizer')}")
    return (
        f"{processor()}, {bench.cores} core{'s' * (bench.cores != 1)}, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()} ({platform.machine()}), {filesystem[0]}; {', '.join(versions)}; "
        f"{' '.join(bench.cp)}; median of {bench.turns}, warm page cache, recipe {RECIPE}."
    )


# --- all of it ---


class Bench:
    def __init__(self, arguments, folder):
        self.build, self.quick, self.layers = arguments.build, arguments.quick, arguments.layers
        self.turns, self.only, self.folder = arguments.turns, arguments.only, folder
        self.executor = arguments.executor_build / "examples" / "tfquant"
        self.cores = processors()
        self.litert = importlib.util.find_spec("litert_quantizer") is not None
        self.cp = self._cp()
        self.rows, self.skips, self.remarks = [], [], []

    def _cp(self):
        """Where the file system can share blocks, cp must not: it would copy nothing."""
        probe, copy = self.folder / "probe", self.folder / "copy"
        probe.write_bytes(bytes(65536))
        shares = output_of("cp", "--reflink=always", probe, copy) is not None
        for path in (probe, copy):
            path.unlink(missing_ok=True)
        return ["cp", "--reflink=never"] if shares else ["cp"]

    def tool(self, name):
        return self.build / "test" / "bench" / name

    def wants(self, name):
        return self.only is None or self.only.search(name) is not None

    def add(self, row):
        if self.wants(row.name):
            self.rows.append(row)

    def skip(self, what, reason):
        self.skips.append(f"skipped: {what}: {reason}")
        note(self.skips[-1])

    def table(self):
        head = ["", "ratio", "ours", "other", "demanded", "met"]
        lines = [head, *(row.cells() for row in self.rows)]
        widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(head))]
        right = (1, 2, 3)
        rule = ["-" * (w - 1) + ":" if i in right else "-" * w for i, w in enumerate(widths)]

        def joined(line):
            cells = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths)))
            return "| " + " | ".join(cells) + " |"

        return [joined(head), joined(rule), *(joined(line) for line in lines[1:])]

    def text(self):
        demanded = [row for row in self.rows if row.demand and (row.failure or row.met is not None)]
        met = sum(row.met is True and not row.failure for row in demanded)
        lines = [machine(self), "", *self.table(), ""]
        lines += [f"{met} of {len(demanded)} demands met.", ""] if demanded else []
        failures = dict.fromkeys(f"failed: {row.failure}" for row in self.rows if row.failure)
        for line in (*failures, *self.skips, *self.remarks, *NOTES):
            lines.append(f"- {line}")
        return "\n".join(lines) + "\n"


NOTES = (
    "Ratios are ours over the other; those of speed, of the inverse times. Kernels: bytes of the source "
    f"({KERNEL_SOURCE_MIB} MiB) in a second, over memcpy of the same bytes with as many threads; the last level is the one that the library "
    "chooses here.",
    "Whole runs, which take turns: the command tfquant, from its start to its end, each time on a new file. "
    "litert-quantizer as a library: in a process that has imported and used it, from the path of the model to "
    "the written file.",
    "An inference: the median of 20 in a process that stays, XNNPACK, one thread.",
    "Peak resident memory is what the system counts as resident for a process, mapped pages of files included.",
    "Size: sections of two executables as `size -A` lists them, one linked statically with the library, all levels, "
    "the other without; the linker drops unused sections.",
)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="sh test/bench.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the huge model, which takes 10 GB and minutes")
    parser.add_argument("--only", metavar="PATTERN", help="only rows whose name has a match of this regular expression")
    parser.add_argument("--layers", type=int, default=HUGE_LAYERS, help=f"in the huge model ({HUGE_LAYERS}, of 67 MB)")
    parser.add_argument("--turns", type=int, default=5, help="how often each run is measured (5)")
    parser.add_argument("--build", type=pathlib.Path, default=PROJECT / "build", help="the build to measure (build)")
    parser.add_argument(
        "--executor-build", type=pathlib.Path, help="the build with -Dexecutor=true, for the rows of int8 (that of --build)"
    )
    arguments = parser.parse_args()
    if arguments.layers < 1 or arguments.turns < 1:
        parser.error("--layers and --turns must be at least 1")
    arguments.build = arguments.build.resolve()
    arguments.executor_build = (arguments.executor_build or arguments.build).resolve()
    try:
        arguments.only = arguments.only and re.compile(arguments.only, re.IGNORECASE)
    except re.error as error:
        parser.error(f"--only: {error}")
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the huge files go
    with tempfile.TemporaryDirectory(prefix="tfquant-bench-") as folder:
        bench = Bench(arguments, pathlib.Path(folder))
        for part in (kernel_rows, size_rows, small_rows, int8_rows, medium_rows, huge_rows):
            part(bench)
        text = bench.text()
    if not bench.rows:
        sys.exit("bench: nothing was measured" if bench.skips else "bench: --only leaves no row")
    print(text, end="")
    if arguments.only is None:
        (arguments.build / "bench.md").write_text(text)
    return 1 if any(row.failure for row in bench.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
