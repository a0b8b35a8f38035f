# SPDX-License-Identifier: Apache-2.0
"""The reviewed table of output sizes and accuracies, expected/snr.csv."""

import csv

COLUMNS = ("model", "recipe", "runtime", "input_bytes", "output_bytes", "ratio", "snr_db")
TOLERANCE_DB = 0.5


def shown(snr):
    """As in the table: "" is no output to compare, "inf" is equal."""
    return "" if snr is None else f"{snr:.1f}"


class Table:
    def __init__(self, path):
        self.path = path
        self.old, self.new = {}, {}
        if path.exists():
            with open(path, newline="") as f:
                lines = (line for line in f if not line.startswith("#"))
                for row in csv.DictReader(lines):
                    self.old[row["model"], row["recipe"], row["runtime"]] = row

    def add(self, model, recipe, runtime, input_bytes, output_bytes, snr):
        """Notes a result; returns what the table has in its place, or None."""
        key = (model, recipe, runtime)
        values = (*key, str(input_bytes), str(output_bytes), f"{output_bytes / input_bytes:.3f}", shown(snr))
        self.new[key] = dict(zip(COLUMNS, values))
        old = self.old.get(key)
        return old if old and old["input_bytes"] == str(input_bytes) else None

    def lines(self):
        """For people: one line a model and recipe, both runtimes beside each other."""
        grouped = {}
        for (model, recipe, runtime), row in sorted(self.new.items()):
            grouped.setdefault((model, recipe), {})[runtime] = row
        if grouped:
            yield f"{'model':50} {'recipe':22} {'bytes':>9} {'ratio':>6} {'XNNPACK dB':>11} {'builtin dB':>11}"
        for (model, recipe), rows in grouped.items():
            any_row = next(iter(rows.values()))
            dbs = [rows.get(r, {}).get("snr_db", "-") for r in ("xnnpack", "builtin")]
            yield f"{model:50} {recipe:22} {any_row['output_bytes']:>9} {any_row['ratio']:>6} {dbs[0]:>11} {dbs[1]:>11}"

    def write(self):
        """New rows over old ones; rows of models that this run did not have stay."""
        rows = {**self.old, **self.new}
        self.path.parent.mkdir(exist_ok=True)
        with open(self.path, "w", newline="") as f:
            f.write("# SPDX-License-Identifier: Apache-2.0\n")
            writer = csv.DictWriter(f, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[key] for key in sorted(rows))


def differs(old, output_bytes, snr):
    """Says how a result differs from its row in the table; "" where it does not."""
    if old["output_bytes"] != str(output_bytes):
        return f"{old['output_bytes']} bytes became {output_bytes}"
    before, now = old["snr_db"], shown(snr)
    if before == now:
        return ""
    if before in ("", "inf", "-inf") or now in ("", "inf", "-inf"):
        return f"SNR {before} dB became {now} dB"
    if abs(float(before) - float(now)) > TOLERANCE_DB:
        return f"SNR {before} dB became {now} dB"
    return ""
