# SPDX-License-Identifier: Apache-2.0
"""Counts test results for run.sh: meson's testlog.json, or JUnit XML. Prints the reasons of skipped
tests, then a last line "passed failed skipped"."""

import collections
import json
import sys
import xml.etree.ElementTree as xml


def from_meson(path):
    """(name, result, reason) of each test."""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f):
            test = json.loads(line)
            result, name = test["result"], f"{test['name']} (test {number + 1})"
            if result in ("OK", "EXPECTEDFAIL"):
                yield name, "passed", ""
            elif result in ("SKIP", "IGNORED"):
                reason = (test.get("stderr") or test.get("stdout") or "").strip().splitlines()
                yield name, "skipped", reason[-1] if reason else "it says no reason"
            else:
                yield name, "failed", result


def from_junit(path):
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed", ""
        elif case.find("skipped") is not None:
            yield name, "skipped", case.find("skipped").get("message", "")
        else:
            yield name, "passed", ""


def main(path):
    read = from_junit if path.endswith(".xml") else from_meson
    # A test of which body and teardown both fail is in JUnit's file twice.
    worst = {}
    for name, result, reason in read(path):
        if worst.get(name, ("",))[0] != "failed":
            worst[name] = (result, reason)
    reasons = collections.Counter(reason for result, reason in worst.values() if result == "skipped")
    for reason, count in reasons.most_common():
        print(f"skipped: {count} x {' '.join(reason.split())}")
    if read is from_meson:
        for name, (result, reason) in worst.items():
            if result == "failed":
                print(f"FAILED: {name}: {reason}")
    counts = collections.Counter(result for result, _ in worst.values())
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main(sys.argv[1])
