# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the documentation is run by an existing test, or ran_by.yml says why not."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.documents import claims, started
from tests.documents.commands import ANY, ROOT, commands_of, documents, form, play_of
from tests.documents.started import STARTED, Started
from tests.support import processes
from tools.matrix.cells import CELLS

TEXT = """\
Type `make demo`, or `ansible-playbook` with `make …`; `kanban_fence: false` is no command, `make fix` is one.

    ansible-playbook -i … scenario3.yml -e kanban_recovery=surgical -e kanban_plan_hash=…   # as approved
    a line of text that is set apart

1. An item:
   goes on
    make no-command

       make of-an-item && make more

```shell
export X=1
ansible-playbook chatia.kanban_rollback.report -i production -e kanban_incident_id=INC-20261125-001
KANBAN_X=1 .venv/bin/python -m tests.hosts up \\
  --state /x
```

```text
make output
```
"""


def all_forms() -> dict[str, str]:
    """Return each form with a place where it occurs."""
    return {
        form(line): f"{path.relative_to(ROOT)}: {line}"
        for path in documents()
        for line in commands_of(path.read_text())
    }


def test_each_command_is_run_or_it_is_said_why_not() -> None:
    said = {form for kind in claims.claims().values() for form in kind}
    # A form without a playbook's name stands for all of them.
    forms = {form: where for form, where in all_forms().items() if form != f"ansible-playbook {ANY}"}
    assert len(forms) > 40
    nobodys = {form: where for form, where in forms.items() if form not in said}
    assert not nobodys, f"name the test that runs it in tests/documents/ran_by.yml: {nobodys}"


def test_each_test_that_is_named_is_there() -> None:
    for said in set(claims.claims()["tests"].values()):
        file, _, name = said.partition("::")
        functions = [one.name for one in ast.parse((ROOT / file).read_text()).body if isinstance(one, ast.FunctionDef)]
        assert name in functions, said


def test_what_ci_runs_it_comes_to() -> None:
    reached = claims.of_ci()
    assert {"test", "lint", "rehearse", "venv-awx"} <= reached
    assert not {"demo", "bench", "drills"} & reached
    for said in claims.claims()["ci"]:
        assert said.removeprefix("make ") in reached, said


def test_the_public_ci_calls_targets_and_versions_that_are_there() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for job in jobs.values() for step in job["steps"] for line in step.get("run", "").splitlines()]
    typed = {line.removeprefix("make ") for line in lines if line.startswith("make ")}
    stages = {"${{ matrix.stage }}": jobs["checks"]["strategy"]["matrix"]["stage"]}
    called = {target for name in typed for target in stages.get(name, [name])}
    assert {"lint", "sanity", "unit", "servers"} <= called <= targets
    versions = jobs["integration"]["strategy"]["matrix"]["postgresql"]
    assert {f"postgresql-{version}" for version in versions} <= {cell.name for cell in CELLS}


def test_nothing_is_said_twice() -> None:
    kinds = list(claims.claims().values())
    forms = [form for kind in kinds for form in kind]
    assert len(forms) == len(set(forms))


def test_what_a_host_of_alerts_installs_is_what_is_tested() -> None:
    (line,) = [line for line in commands_of((ROOT / "docs/alerts.md").read_text()) if "pip install" in line]
    pins = (ROOT / "requirements/eda.txt").read_text().splitlines()
    assert {word for word in line.split() if "==" in word} <= set(pins)


def test_commands_are_found_and_told_apart() -> None:
    assert [form(line) for line in commands_of(TEXT)] == [
        "ansible-playbook report -e kanban_incident_id=…",
        "python -m tests.hosts up --state …",
        "ansible-playbook scenario3 -e kanban_plan_hash=… -e kanban_recovery=surgical",
        "make of-an-item && make more",
        "make demo",
        "make fix",
    ]


@pytest.mark.parametrize(
    ("argv", "is_it"),
    [
        ("/v/ansible-playbook -i x -e kanban_recovery=undo -e kanban_approved_by=eva /c/playbooks/scenario3.yml", True),
        ("env A=1 ansible-playbook -e {'kanban_recovery':'undo','kanban_approved_by':'b'} scenario3.yml", True),
        ("ansible-playbook -e kanban_recovery=undo -e kanban_approved_by=b chatia.kanban_rollback.scenario3", True),
        ("ansible-playbook --check -e kanban_recovery=undo -e kanban_approved_by=eva scenario3.yml", False),
        ("ansible-playbook -e kanban_recovery=surgical -e kanban_approved_by=eva scenario3.yml", False),
        ("ansible-playbook -e kanban_recovery=undo scenario3.yml", False),
        ("ansible-playbook -e kanban_recovery=undo -e kanban_approved_by=eva scenario2.yml", False),
    ],
)  # fmt: skip
def test_a_run_is_what_is_documented_only_with_all_that_decides(argv: str, is_it: bool) -> None:
    words = tuple(argv.replace("'", '"').split())
    one = Started(words, "x", play_of(words, ROOT))
    assert claims.is_run("ansible-playbook scenario3 -e kanban_approved_by=… -e kanban_recovery=undo", one) is is_it


def test_variables_of_an_inventory_and_of_a_file_count(tmp_path: Path) -> None:
    (tmp_path / "inventory.json").write_text('{"all": {"vars": {"kanban_pause": true}}}')
    (tmp_path / "vars.yml").write_text('{"kanban_reason": !unsafe "{{ x }}"}')
    words = ("ansible-playbook", "-i", "inventory.json", "-e", "@vars.yml", "playbooks/scenario2.yml")
    one = Started(words, "x", play_of(words, tmp_path))
    assert claims.is_run("ansible-playbook scenario2 -e kanban_pause=true -e kanban_reason=…", one)
    assert not claims.is_run("ansible-playbook scenario2 -e kanban_pause=false", one)


def test_a_test_that_does_not_run_what_is_said_of_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said, name = next((said, form) for form, said in claims.claims()["tests"].items() if form.startswith("make "))
    assert name in claims.not_run(said)
    assert name in claims.not_run(f"{said}[x]")
    monkeypatch.setattr(claims, "STARTED", [*STARTED, Started(tuple(name.split()), said.partition("::")[0], None)])
    assert name not in claims.not_run(said)
    assert claims.not_run("tests/other.py::test_of_which_nothing_is_said") == []


def test_what_is_too_late_ends_with_all_that_it_started(tmp_path: Path) -> None:
    def left() -> list[int]:
        return processes.matching(lambda arguments: str(tmp_path) in arguments)

    with pytest.raises(subprocess.TimeoutExpired):
        started.run_line(f"sh -c 'sleep 60; :' {tmp_path} & wait", tmp_path, timeout=0.5)
    assert processes.wait_until(lambda: not left(), 5)


def test_the_plugin_is_loaded(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.has_plugin("tests.documents.plugin")
    assert re.search(r"tests\.documents\.plugin", (ROOT / "tests/conftest.py").read_text())
