# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever exists is documented: modules, playbooks and roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/playbooks.md").read_text(encoding="utf-8")
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
# Parts of triage.yml, which nobody types.
PARTS = {"triage_act", "triage_decide"}


def table(heading: str) -> set[str]:
    """Return what stands in backticks in the first column of the table below a heading of the page."""
    body = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name for row in re.findall(r"^\| (.*?) \|", body, re.MULTILINE) for name in re.findall(r"`([\w.]+)`", row)}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_fails_says_in_its_return_values_that_there_is_an_error(name: str) -> None:
    text = (ROOT / f"plugins/modules/{name}.py").read_text(encoding="utf-8")
    returns = text.partition('RETURN = r"""')[2].partition('"""')[0]
    assert re.search(r"^error:\n", returns, re.MULTILINE)


def test_the_page_names_every_module_and_every_playbook() -> None:
    assert len(MODULES) > 30
    assert table("Modules") == set(MODULES)
    assert table("Playbooks") == {path.name for path in (ROOT / "playbooks").glob("*.yml") if path.stem not in PARTS}


# The variables of kanban are described by profile, which exists to check them.
APART = {"kanban", "profile"}
ROLES = sorted({path.name for path in (ROOT / "roles").iterdir()} - APART)


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_described_with_each_of_its_variables_and_checked_by_nobody(name: str) -> None:
    role = ROOT / "roles" / name
    text = (role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    entry, *more = re.findall(r"^  (\w+):$", text, re.MULTILINE)
    # A stop does not wait for the check of arguments that Ansible makes if a file of tasks has that name.
    assert not more
    assert entry not in {path.stem for path in (role / "tasks").glob("*.yml")}
    defaults = role / "defaults/main.yml"
    there = re.findall(r"^(\w+):", defaults.read_text(encoding="utf-8"), re.MULTILINE) if defaults.exists() else []
    described = re.findall(r"^      (\w+):$", text, re.MULTILINE)
    # What a caller has to give has no default.
    assert [one for one in there if one not in described] == []
    assert [one for one in described if one not in there and not one.startswith("job_")] == []


def test_the_profile_is_described_and_a_role_that_a_stop_includes_has_little_to_copy() -> None:
    defaults = (ROOT / "roles/kanban/defaults/main.yml").read_text(encoding="utf-8")
    specs = (ROOT / "roles/profile/meta/argument_specs.yml").read_text(encoding="utf-8")
    there = set(re.findall(r"^(\w+):", defaults, re.MULTILINE))
    described = set(re.findall(r"^      (\w+):$", specs, re.MULTILINE))
    assert {one for one in there - described if not one.endswith("_default")} == set()
    # Ansible copies a role's specs with each include, and each time also those of the role that all depend on.
    assert (ROOT / "roles/kanban/meta/argument_specs.yml").stat().st_size < 1000
