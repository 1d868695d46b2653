# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which test runs which command of the documentation, according to ran_by.yml, and whether it did."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from tests.documents.commands import ANY, ROOT, wanted
from tests.documents.started import STARTED, Started

CLAIMS = Path(__file__).with_name("ran_by.yml")


@cache
def claims() -> Mapping[str, Mapping[str, str]]:
    """Return the claims: ``tests``, form and test; ``ci``, what .ci/run runs; ``by_hand``, form and why not."""
    found = yaml.safe_load(CLAIMS.read_text())
    tests = {
        form: f"{file}::{test}"
        for file, tests in found["tests"].items()
        for test, forms in tests.items()
        for form in forms or ()
    }
    return {"tests": tests, "ci": dict.fromkeys(found["ci"], ".ci/run"), "by_hand": found["by_hand"]}


@cache
def files() -> set[str]:
    """Return the files with a test that is said to run something."""
    return {said.partition("::")[0] for said in claims()["tests"].values()}


def not_run(test: str) -> list[str]:
    """Return the commands that a test is said to run but that no test of its file has started so far."""
    file, _, name = test.partition("::")
    mine = [form for form, said in claims()["tests"].items() if said in (test, f"{file}::{name.partition('[')[0]}")]
    return [form for form in mine if not any(one.file == file and is_run(form, one) for one in STARTED)]


def is_run(form: str, started: Started) -> bool:
    """Tell whether a started command matches a form, with any values for what a reader fills in; it may have more."""
    if play := wanted(form):
        return started.play is not None and bool(started.play.covers(play))
    words, program = form.split(), started.argv[0].rpartition("/")[2]
    return _program(words[0]) == _program(program) and _in_order(words[1:], started.argv[1:])


def _program(name: str) -> str:
    return re.sub(r"^python[\d.]*$", "python", name)


def _in_order(words: Sequence[str], argv: Sequence[str]) -> bool:
    left = iter(argv)
    return all(any(word in (ANY, given) for given in left) for word in words)


def of_ci(root: Path = ROOT) -> set[str]:
    """Return the make targets that .ci/run reaches, with all their prerequisites."""
    makefile = (root / "Makefile").read_text()
    said = re.search(r"^STAGES := (.*)$", makefile, re.MULTILINE)
    assert said
    makefile = makefile.replace("$(STAGES)", said[1])
    rules = re.findall(r"^([a-z][\w -]*):(?!=)(.*(?:\n\t.*)*)", makefile, re.MULTILINE)
    bodies = {name: body for names, body in rules for name in names.split()}
    typed = re.findall(r"^make ([^|\n]*)", (root / ".ci/run").read_text(), re.MULTILINE)
    reached, left = set[str](), set(re.findall(r"[\w-]+", " ".join(typed)))
    while left:
        if (name := left.pop()) in bodies and name not in reached:
            reached.add(name)
            needs = re.sub(r"##.*", "", bodies[name].partition("\n")[0])
            # The tool that runs several of them in parallel gets their names as arguments.
            told = " ".join(re.findall(r"tools\.summary (.*)", bodies[name]))
            left |= set(re.findall(r"[\w-]+", f"{needs} {told}"))
    return reached
