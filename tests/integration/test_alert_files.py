# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that alerts pass through, given to the programs that read them: rules, Alertmanager's example, rulebook."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.alerts import environment, programs
from tests.integration.module import ROOT
from tools import surveys

SHIPPED = ROOT / "extensions/prometheus"
RULES = [
    rule
    for group in yaml.safe_load((SHIPPED / "kanban_v2.rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
RULEBOOK = ROOT / "extensions/eda/rulebooks/alerts.yml"
IN_AWX = ROOT / "extensions/eda/rulebooks/alerts_awx.yml"
RULESETS = yaml.safe_load(RULEBOOK.read_text(encoding="utf-8"))
PROFILE = yaml.safe_load((ROOT / "roles/kanban/defaults/main.yml").read_text(encoding="utf-8"))
# As ansible-rulebook does it before it starts anything.
VALIDATE = """
import sys, yaml
from ansible_rulebook.rules_parser import parse_rule_sets
from ansible_rulebook.validators import Validate
read = yaml.safe_load(open(sys.argv[1]))
Validate.rulebook(read)
parse_rule_sets(read)
"""


def done(*argv: str) -> subprocess.CompletedProcess[str]:
    around = {**os.environ, **programs()}
    return subprocess.run(argv, cwd=SHIPPED, env=around, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "argv",
    [
        ("promtool", "check", "rules", "--lint=all", "--lint-fatal", "kanban_v2.rules.yml"),
        ("promtool", "test", "rules", "kanban_v2.test.yml"),
        ("amtool", "check-config", "alertmanager.yml"),
    ],
    ids=lambda argv: f"{argv[0]}-{argv[1]}",
)
def test_the_programs_take_what_ships(argv: tuple[str, ...]) -> None:
    assert shutil.which(argv[0]), f"{argv[0]} is not there: .ci/run installs prometheus and prometheus-alertmanager"
    run = done(*argv)
    assert run.returncode == 0, run.stdout + run.stderr


def validated(rulebook: Path) -> subprocess.CompletedProcess[str]:
    return done(str(environment() / "python"), "-c", VALIDATE, str(rulebook))


def test_the_rulebook_of_awx_is_the_same_but_for_what_it_starts() -> None:
    """A template is launched with the answers that the playbook would get, and with nothing else of the event."""
    wanted = yaml.safe_load(RULEBOOK.read_text(encoding="utf-8"))
    asked = {one["variable"] for one in surveys.surveys()["Kanban alert"]["spec"]}
    ours = surveys.read(ROOT / "awx/organization.yml")["awx_organization"]["name"]
    for ruleset in wanted:
        for rule in ruleset["rules"]:
            for action in rule.get("actions", [rule.get("action")]):
                if run := action.pop("run_playbook", None):
                    given = {name: value for name, value in run["extra_vars"].items() if name in asked}
                    given["kanban_alert_triages"] = str(given["kanban_alert_triages"]).lower()
                    action["run_job_template"] = {
                        "name": "Kanban alert",
                        "organization": f"{{{{ KANBAN_AWX_ORGANIZATION | default('{ours}') }}}}",
                        "include_events": False,
                        "job_args": {"extra_vars": given},
                    }
    assert yaml.safe_load(IN_AWX.read_text(encoding="utf-8")) == wanted
    assert validated(IN_AWX).returncode == 0, validated(IN_AWX).stderr


def test_ansible_rulebook_takes_the_rulebook(tmp_path: Path) -> None:
    assert validated(RULEBOOK).returncode == 0, validated(RULEBOOK).stderr
    for right, wrong in (("once_within", "once_in"), ("is regex", "has regex")):
        broken = tmp_path / "broken.yml"
        broken.write_text(RULEBOOK.read_text(encoding="utf-8").replace(right, wrong, 1), encoding="utf-8")
        assert validated(broken).returncode != 0


def test_every_rule_says_whose_it_is_and_asks_for_what_the_rulebook_knows() -> None:
    for rule in RULES:
        assert rule["labels"]["service"] == "kanban-v2"
        asked = rule["labels"]["kanban_scenario"]
        assert (rule["labels"]["severity"] == "P0") == (asked in ("scenario1", "scenario3")), rule["alert"]
        assert rule["annotations"]["summary"]
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,63}", rule["alert"])
        assert f"| `{rule['alert']}` |" in (ROOT / "docs/alerts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("metric", "alert"),
    [
        ("error_rate", "KanbanErrorRate"),
        ("socket_latency", "KanbanSocketLatency"),
        ("dnd_p95", "KanbanDragAndDropSlow"),
        ("query_p95", "KanbanQueriesSlow"),
        ("memory", "KanbanMemoryGrows"),
    ],
)
def test_a_rule_has_the_limit_that_the_profile_has(metric: str, alert: str) -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == alert)
    limit = PROFILE["kanban_thresholds_default"]["plan"][metric]["max"]
    assert float(rule["expr"].rpartition(">")[2]) == float(limit)


def playbooks() -> list[dict[str, Any]]:
    actions = [
        action
        for ruleset in RULESETS
        for rule in ruleset["rules"]
        for action in rule.get("actions", [rule.get("action")])
    ]
    return [action["run_playbook"] for action in actions if "run_playbook" in action]


def test_only_what_a_condition_has_looked_at_reaches_a_playbook() -> None:
    known = {
        *("event.labels.alertname", "event.startsAt", "event.labels.environment"),
        # What the rules of the first ruleset post to the second.
        *("event.asked", "event.name", "event.began_at", "event.environment", "ANSIBLE_INVENTORY"),
    }
    assert len(playbooks()) == 3
    for run in playbooks():
        assert run["name"] == "chatia.kanban_rollback.alert"
        said = [value for value in run["extra_vars"].values() if "{{" in str(value)]
        assert {re.fullmatch(r"\{\{ (\S+) \}\}", value)[1] for value in said} <= known  # type: ignore[index]
    for rule in RULESETS[0]["rules"]:
        for looked_at in ("alertname is regex(", "startsAt is regex(", "environment == vars.", "kanban_scenario"):
            assert looked_at in rule["condition"], rule["name"]


def test_the_profile_names_what_the_rulebook_can_ask_for() -> None:
    specs = yaml.safe_load((ROOT / "roles/profile/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    assert PROFILE["kanban_auto_contain"] == []
    given = {str(run["extra_vars"]["kanban_alert_scenario"]) for run in playbooks()}
    assert options["kanban_auto_contain"]["choices"] == sorted(given - {"{{ event.asked }}"})
    for run in playbooks():
        assert set(run["extra_vars"]) <= set(options)
