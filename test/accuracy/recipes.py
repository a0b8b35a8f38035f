# SPDX-License-Identifier: Apache-2.0
"""The columns of the table: recipes with their options. What the program does not have is left out."""

import dataclasses
import subprocess

DONE, UNCHANGED = 0, 3
PLAIN, DYNAMIC, INT8, FAST = "weight_only_wi8_afp32", "dynamic_wi8_afp32", "int8", "int8-fast"
LITTLE_EFFORT, PICTURES = "int8 --effort fast", "int8 --data"


@dataclasses.dataclass(frozen=True)
class Column:
    key: str
    recipe: str
    options: tuple  # of the command
    pictures: bool = False  # it is given some


def column(key, recipe, *more, **kinds):
    return Column(key, recipe, ("--recipe", recipe, *more), **kinds)


COLUMNS = (
    column(PLAIN, PLAIN),
    column(DYNAMIC, DYNAMIC),
    column(LITTLE_EFFORT, INT8, "--effort", "fast"),
    column(INT8, INT8),
    column(PICTURES, INT8, pictures=True),
    column(FAST, FAST),
)


def available(tool):
    """(those that this build of the program has, a note for each that it has not)"""
    ask = lambda *words: subprocess.run([tool, *words], capture_output=True, text=True, check=True).stdout
    recipes = {line.split()[0] for line in ask("recipes").splitlines() if line.strip()}
    options = set(ask("quantize", "--help").replace(",", " ").replace("=", " ").split())
    found, notes = [], []
    for each in COLUMNS:
        needed = [o for o in each.options if o in ("--effort",)] + (["--data"] if each.pictures else [])
        lacking = [f"recipe {each.recipe}"] * (each.recipe not in recipes)
        lacking += [f"option {o}" for o in needed if o not in options]
        if lacking:
            notes.append(f"`{each.key}` is left out: this build has no {' and no '.join(lacking)}.")
        else:
            found.append(each)
    return found, notes
