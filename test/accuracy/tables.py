# SPDX-License-Identifier: Apache-2.0
"""The results as Markdown and as JSON."""

import dataclasses
import importlib.metadata
import math
import platform

import bench
import inputs
import verdict
from recipes import DYNAMIC, FAST, INT8, PLAIN

IN_FULL = ("mediapipe/", "wheel/", "keras/", "made/")
BEGIN, END = "<!-- sh test/accuracy.sh --readme writes what follows -->", "<!-- up to here -->"
HEAD = ("model", "recipe", "size", "worst dB", "dB of each output", "latency", "time")
RIGHT = (2, 3, 5, 6)


def decibels(value):
    return "-" if value is None else f"{value:.1f}" if math.isfinite(value) else "exact" if value > 0 else "useless"


def cells(row, key, result):
    """Of one line of the table, but for the model's name."""
    name = f"`{key}`"
    if "left_out" in result or "failed" in result:
        why = result.get("left_out") or f"failed: {result['failed']}"
        return [name, "-", "-", why.replace("|", "/"), "-", "-"]
    size, seconds = f"{result['ratio']:.3f}", bench.show_seconds(result["seconds"])
    if result["unchanged"]:
        return [name, size, "exact", "as it is", "as it is", seconds]
    each = " ".join(
        decibels(value) if row["elements"][output] > 1 else f"({decibels(value)})"
        for output, value in result["snr"].items()
    )
    latency = f"{result['latency']['ratio']:.3f}" if "latency" in result else "-"
    return [name, size, decibels(result["worst"]), each, latency, seconds]


def table(head, lines, right=()):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---:" if i in right else "---" for i in range(len(head))) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def plain(value):
    """For JSON, which has no infinite numbers: they become words."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@dataclasses.dataclass
class Page:
    tool: object
    origin: str
    columns: list
    rows: list
    lines: list  # of the verdict
    notes: list

    def data(self):
        return {
            "machine": self.machine(),
            "recipes": [c.key for c in self.columns],
            "models": self.rows,
            "verdict": [dataclasses.asdict(line) for line in self.lines],
            "notes": self.notes,
        }

    def machine(self):
        tool = bench.output_of(self.tool, "--version") or "tfquant"
        cores = bench.processors()
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("ai-edge-litert", "scikit-image")]
        return (
            f"{bench.processor()}, {cores} core{'s' * (cores != 1)}, {platform.system()} ({platform.machine()}); "
            f"{', '.join([tool, *versions])}; models from {self.origin}."
        )

    def measured(self):
        return [row for row in self.rows if "refused" not in row]

    def rows_of(self, rows):
        for row in rows:
            name = verdict.short(row["model"])
            for key, result in row["recipes"].items():
                yield [name, *cells(row, key, result)]
                name = ""

    def explained(self):
        yield (
            f"Size: over the original's. dB: SNR against the original in LiteRT with XNNPACK, {inputs.RUNS} inputs together, of each output in "
            "the graph's order, in brackets where it is one number; the worst is of the others. Inputs are crops of scikit-image's astronaut "
            f"where they can be pictures, else random numbers. `--data` is given {len(inputs.CALIBRATION)} other pictures "
            f"({', '.join(inputs.CALIBRATION)}). Latency: of an inference on one thread over the original's, side by side. Time: of the command."
        )
        for remark in sorted({r["remark"] for r in self.measured() if r.get("remark")}):
            names = ", ".join(verdict.short(r["model"]) for r in self.measured() if r.get("remark") == remark)
            yield f"Looked at with {remark}: {names}." if remark.startswith("TRANSPOSE") else f"Looked at {remark}, for its weights are random: {names}."

    def judged(self):
        words = {None: "", True: "yes", False: "no"}
        return table(("what", "wanted", "is", "met"), ([x.what, x.wanted, x.found, words[x.met]] for x in self.lines))

    def summary(self, rows):
        """Lines on models that have none of their own."""
        if not rows:
            return
        yield f"{verdict.number(len(rows))} more, most of them of one operator:"
        yield ""
        for recipe, other in ((INT8, PLAIN), (FAST, DYNAMIC)):
            found = sorted(verdict.both(rows, recipe, other), key=lambda f: f[1] - f[2])
            if not found:
                continue
            name, ours, theirs = found[0]
            equal = sum(a == b for _, a, b in found)
            below = sum(a < b - 1 for _, a, b in found)
            yield (
                f"- `{recipe}` against `{other}`: of {verdict.number(len(found))} {equal} have the same worst SNR, {below} lose more than 1 dB; the worst "
                f"difference is {ours - theirs:+.1f} dB ({decibels(theirs)} -> {decibels(ours)}), of {verdict.short(name)}."
            )
        failed = [f"{verdict.short(r['model'])} with `{k}`" for r in rows for k, x in r["recipes"].items() if "failed" in x]
        if failed:
            yield f"- Failed: {', '.join(failed)}."

    def not_run(self):
        found = [row for row in self.rows if "refused" in row]
        if found:
            yield f"{verdict.number(len(found))} that the runtime does not run:"
            yield ""
        for row in found:
            yield f"- {verdict.short(row['model'])}: {row['refused']}"

    def blocks(self, in_full, rest):
        yield self.machine()
        yield from self.notes
        yield "\n".join(table(HEAD, self.rows_of(in_full), RIGHT))
        yield from self.explained()
        yield "\n".join(self.summary(rest))
        yield "\n".join(self.judged())
        yield "\n".join(self.not_run())

    def text(self, large_ones):
        rows = self.measured()
        in_full = [r for r in rows if r["model"].startswith(IN_FULL) or (large_ones and r["bytes"] >= verdict.LARGE)]
        rest = [r for r in rows if r not in in_full]
        return "\n\n".join(block for block in self.blocks(in_full, rest) if block) + "\n"

    def full(self):
        return self.text(True)

    def for_readme(self):
        return self.text(False)


def update_readme(path, text):
    before, rest = path.read_text().split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
