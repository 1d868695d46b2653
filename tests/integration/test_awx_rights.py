# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what according to awx/: people who stop, people who approve, and an alert."""

from __future__ import annotations

from tests.integration.test_awx_data import DATA, SPECS, STOPS, TEMPLATES, WORKFLOWS


def test_on_call_stops_and_dbas_alone_approve() -> None:
    may: dict[str, set[tuple[str, str]]] = {}
    for team in DATA["teams"]["awx_teams"]:
        for grant in team["grants"]:
            names = [*grant.get("job_templates", []), *grant.get("workflows", [])]
            may.setdefault(team["name"], set()).update((grant["role"], name) for name in names)
    approve = {team for team, grants in may.items() if any(role == "approval" for role, _name in grants)}
    assert approve == {"Kanban DBAs"}
    # Only in a workflow, after its approval.
    assert [team for team, grants in may.items() if ("execute", "Kanban recover") in grants] == []
    on_call = may["Kanban on-call"]
    for name, template in TEMPLATES.items():
        stops = template["playbook"] in STOPS and name not in ("Kanban recover", "Kanban compare")
        assert not stops or ("execute", name) in on_call, name
    assert {role for role, _name in may["Kanban readers"]} == {"read"}


def test_an_alert_says_no_more_than_its_survey_asks_and_may_do_nothing_else() -> None:
    template = TEMPLATES["Kanban alert"]
    # No variables, hosts, tags or inventory: a launch brings nothing but answers of the survey.
    assert {name for name, value in template.items() if name.startswith("ask_") and value} == set()
    assert template["allow_simultaneous"] is True
    assert "extra_vars" not in template
    asked = set(template["survey"])
    assert asked == {name for name in SPECS if name.startswith("kanban_alert_")} - {"kanban_alert_inventory"}
    # Only the inventory says what may run by itself, and only the rulebook's user launches this.
    assert [
        name for name, one in {**TEMPLATES, **WORKFLOWS}.items() if "kanban_auto_contain" in one.get("survey", [])
    ] == []
    grants = {
        team["name"]: team["grants"] for team in DATA["teams"]["awx_teams"] if "Kanban alert" in str(team["grants"])
    }
    assert grants == {"Kanban alerts": [{"role": "execute", "job_templates": ["Kanban alert"]}]}
