# SPDX-License-Identifier: Apache-2.0
"""What is wanted of the table, each a line with its figure.

A row is a dict: model, bytes, stored, elements {output: number}, recipes {key: result}. A result: ratio of the
sizes, bytes, seconds, unchanged; snr {output: dB}, worst dB; latency {ratio, original, quantized}."""

import dataclasses
import math

from recipes import DYNAMIC, FAST, INT8, PLAIN

LOSSLESS = 120.0  # dB that no error at all counts as in means and differences
MEDIAPIPE = ("mediapipe/", "wheel/")
LARGE = 64 << 10  # bytes; the time of smaller models is the call's
MUST_NOT_LOSE = ("selfie_segmentation", "face_detection_full_range_sparse", "mobilenet_v3_small", "convnext", "conformer")


@dataclasses.dataclass(frozen=True)
class Line:
    what: str
    wanted: str
    found: str
    met: bool | None  # None: nothing was measured


def worst(snr, elements):
    """The least of the outputs with more than one element; None: no such output has numbers."""
    values = [v for output, v in snr.items() if v is not None and elements[output] > 1]
    return min(values) if values else None


def level(row, recipe):
    """The worst output's SNR, within what can be averaged; None: not measured."""
    result = row["recipes"].get(recipe)
    if result is None or "failed" in result or "left_out" in result:
        return None
    value = math.inf if result["unchanged"] else result.get("worst")
    return None if value is None else max(-LOSSLESS, min(LOSSLESS, value))


def both(rows, recipe, other):
    """[(model, dB, dB of the other)] where both were measured."""
    found = [(row["model"], level(row, recipe), level(row, other)) for row in rows]
    return [f for f in found if None not in f]


def number(count):
    return f"{count} model{'s' * (count != 1)}"


def short(name):
    return name.split("/", 1)[-1]


def mean_gain(rows, recipe, other, least, what):
    found = both(rows, recipe, other)
    if not found:
        return Line(what, f"≥ {least} dB", "not measured", None)
    ours, theirs = (sum(f[i] for f in found) / len(found) for i in (1, 2))
    text = f"{ours - theirs:+.1f} dB: {theirs:.1f} -> {ours:.1f}, {number(len(found))}"
    return Line(what, f"≥ {least} dB", text, ours - theirs >= least)


def no_loss(rows, recipe, other, what):
    found = sorted(both(rows, recipe, other), key=lambda f: f[1] - f[2])
    if not found:
        return Line(what, "≥ -1 dB each", "not measured", None)
    below = [f for f in found if f[1] - f[2] < -1]
    shown = ", ".join(f"{short(f[0])} {f[2]:.1f} -> {f[1]:.1f}" for f in (below or found[:1]))
    text = f"{len(below)} of {len(found)} below: {shown}" if below else f"lowest: {shown}, {number(len(found))}"
    return Line(what, "≥ -1 dB each", text, not below)


def sizes(rows, what):
    found = []
    for row in rows:
        ours, plain = (row["recipes"].get(recipe, {}) for recipe in (INT8, PLAIN))
        if "bytes" in ours and "bytes" in plain:
            found.append((ours["bytes"] / plain["bytes"], short(row["model"])))
    if not found:
        return Line(what, "≤ 1.06 each", "not measured", None)
    found.sort(reverse=True)
    above = [f for f in found if f[0] > 1.06]
    shown = ", ".join(f"{name} {ratio:.3f}" for ratio, name in (above or found[:1]))
    return Line(what, "≤ 1.06 each", shown if above else f"largest: {shown}", not above)


def latencies(rows, recipe, limit, what):
    found = []
    for row in rows:
        measured = row["recipes"].get(recipe, {}).get("latency")
        if measured:
            found.append((measured["ratio"], short(row["model"])))
    if not found:
        return Line(what, f"≤ {limit}", "not measured", None)
    found.sort(reverse=True)
    above = [f for f in found if f[0] > limit]
    shown = ", ".join(f"{name} {ratio:.3f}" for ratio, name in (above or found[:1]))
    return Line(what, f"≤ {limit}", shown if above or len(found) == 1 else f"largest: {shown}", not above)


def failures(rows):
    found = [f"{short(r['model'])} with `{key}`" for r in rows for key, x in r["recipes"].items() if "failed" in x]
    return Line("every recipe works on every model that the runtime runs", "all", ", ".join(found) or "all", not found)


def lines(rows):
    rows = [row for row in rows if "refused" not in row]
    half = [r for r in rows if r["model"].startswith(MEDIAPIPE) and r["stored"] == "float16"]
    large = [r for r in rows if r["bytes"] >= LARGE]
    small = [r for r in rows if r["bytes"] < LARGE]
    named = lambda *stems: [r for r in rows if short(r["model"]) in stems]
    made = [
        mean_gain(half, INT8, PLAIN, 16, f"1. `{INT8}` over plain rounding, mean of the worst outputs, float16 MediaPipe models"),
        sizes(half, f"1. size of `{INT8}` over plain rounding's, the same models"),
        no_loss(half, INT8, PLAIN, f"1. `{INT8}` over plain rounding, the same models, each"),
        no_loss(rows, INT8, PLAIN, f"1. `{INT8}` over plain rounding, all models, each"),
        mean_gain(half, FAST, DYNAMIC, 10, f"1. `{FAST}` over `{DYNAMIC}`, mean of the worst outputs, the same models"),
    ]
    for recipe in (INT8, FAST):
        made.append(latencies(large, recipe, 1.05, f"2. latency of `{recipe}`, models of 64 KiB and more"))
        made.append(latencies(small, recipe, 1.05, f"2. latency of `{recipe}`, smaller models"))
    made += [
        latencies(named("hand_landmark_full"), FAST, 0.8, f"2. latency of `{FAST}`, hand_landmark_full"),
        latencies(named("palm_detection_full"), FAST, 0.9, f"2. latency of `{FAST}`, palm_detection_full"),
    ]
    for stem in MUST_NOT_LOSE:
        these = [r for r in rows if short(r["model"]).startswith(stem)]
        made.append(no_loss(these, INT8, PLAIN, f"7. `{INT8}` over plain rounding, {stem}"))
        made.append(no_loss(these, FAST, DYNAMIC, f"7. `{FAST}` over `{DYNAMIC}`, {stem}"))
    return [*made, failures(rows)]
