# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/plan-mapping.md names exists: modules, playbooks, variables, checks, templates, tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "plan-mapping.md").read_text(encoding="utf-8")
AS_WRITTEN = ROOT / "tests/integration/test_plan_as_written.py"
# Words in code that are the plan's, PostgreSQL's or Redis' and not ours.
OF_OTHERS = {"kanban_emergency", "jsonb_set", "pg_stat_statements", "total_time", "used_memory_human"}


def code() -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", TEXT)


def words(pattern: str) -> set[str]:
    """Return the words of that form in what stands in backticks."""
    return {word for text in code() for word in re.findall(pattern, text)}


def variables() -> set[str]:
    """Return the profile's variables, by its defaults and its argument specs."""
    roles = ROOT / "roles"
    defaults = re.findall(r"^(kanban_\w+):", (roles / "kanban/defaults/main.yml").read_text(), re.MULTILINE)
    specs = re.findall(r"^      (kanban_\w+):$", (roles / "profile/meta/argument_specs.yml").read_text(), re.MULTILINE)
    return {*defaults, *specs}


def checks() -> set[str]:
    """Return the names of the profile's checks."""
    return set(re.findall(r"^    name: (\w+)$", (ROOT / "roles/kanban/defaults/main.yml").read_text(), re.MULTILINE))


def test_modules_are_there() -> None:
    named = re.findall(r"[Mm]odule `(\w+)`", TEXT)
    assert len(set(named)) > 15
    assert [name for name in named if not (ROOT / f"plugins/modules/{name}.py").exists()] == []


def test_playbooks_are_there() -> None:
    named = words(r"(?<![\w./-])(\w+\.yml)") | {f"{name}.yml" for name in words(r"chatia\.kanban_rollback\.(\w+)")}
    assert len(named) > 8
    assert [name for name in sorted(named) if not (ROOT / "playbooks" / name).exists()] == []


def test_variables_and_checks_are_there() -> None:
    named = words(r"(?<![\w.:/])(kanban_[a-z0-9_]+)")
    assert len(named) > 30
    assert sorted(named - variables()) == []
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"checks? (`\w+`(?:, `\w+`)*)", TEXT))))
    assert len(named) > 6
    assert sorted(named - checks()) == []


def test_no_other_name_is_left() -> None:
    """A name so misspelt that it looks like none of the above would be seen by none of the other tests."""
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    options = {"plan_hash"}
    alone = {text for text in code() if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", text) and not text.startswith("test_")}
    assert sorted(alone - modules - variables() - checks() - options - OF_OTHERS) == []


def test_templates_are_there_in_each_language() -> None:
    named = words(r"(\w+\.md\.j2)")
    assert len(named) == 3
    for locale in ("pt_BR", "en"):
        assert [name for name in named if not (ROOT / f"roles/communicate/templates/{locale}/{name}").exists()] == []


def test_tests_are_there() -> None:
    named = words(r"((?:tests/)?(?:unit|integration|playbooks|drills)/test_\w+\.py(?:::test_\w+)?)")
    assert len(named) > 50
    missing = []
    for name in named:
        path, _colons, function = name.removeprefix("tests/").partition("::")
        file = ROOT / "tests" / path
        if not file.exists() or (function and f"\ndef {function}(" not in file.read_text(encoding="utf-8")):
            missing.append(name)
    assert missing == []


def test_what_the_plans_commands_do_is_named_by_its_tests_and_each_of_them_is_named() -> None:
    there = set(re.findall(r"^def (test_\w+)", AS_WRITTEN.read_text(encoding="utf-8"), re.MULTILINE))
    assert {text for text in code() if text.startswith("test_")} == there


def test_the_plans_sections_are_there_in_its_order() -> None:
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE)[1:] == [
        "Scenario 1: Bug Crítico",
        "Scenario 2: Performance Degradation",
        "Scenario 3: Data Corruption",
        "Rollback Decision Tree",
        "Rollback Checklist",
        "Contact List",
        "Tools & Access",
        "Testing Rollback Procedure",
        "Lessons Learned Template",
    ]
