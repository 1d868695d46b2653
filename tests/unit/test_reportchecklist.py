# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklists: boxes ticked by evidence or open with what to do, whom to call, action items as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportchecklist import action_items
from tests.unit.chronicles import HEALTH, METRICS, eventful, lay_down, stopped
from tests.unit.reports import boxes, message, report


def test_boxes_are_ticked_by_evidence_or_open_with_the_reason(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    message(place, "initial_oncall", "slack:#incident-20270115-0800")
    message(place, "initial_stakeholders", "mail:tech_leads", "failed")
    message(place, "user_notice", "mail:users", "dry_run")
    (place / "words.md").write_text("## Causa raiz\nx\n## Ações\n- Index - Owner: Ana - Due: 2027-01-20\n")
    told = report(tmp_path, locale="en")
    found = boxes(place)
    ticked = {text for text, line in found.items() if line.startswith("- [x]")}
    assert {
        "Incident severity confirmed", "On-call engineer notified", "Feature flag disabled (or selective)",
        "Incident channel created (#incident-YYYYMMDD-HHMM)", "Root cause identified", "Data integrity audit complete",
        "Action items have an owner and a due date", "System stable for 30+ minutes", "Metrics back to normal",
    } <= ticked  # fmt: skip
    assert "message initial_stakeholders did not arrive: mail:tech_leads" in found["Stakeholders notified"]
    assert "was a dry run" in found["Users notified (if P0)"]
    assert "240 switched off, 0 on" in found["Feature flag disabled (or selective)"]
    assert "says that it did not go well" in found["System health verified"]
    assert "nobody asked the backups in this incident" in found["Database backup confirmed recent (< 1h)"]
    assert any(
        line.startswith("- [ ]") and "2027-01-16 08:00 UTC and 2027-01-17 08:00 UTC" in line for line in found.values()
    )
    assert "Stakeholders notified" in told["undecided"]
    assert "On-call engineer notified" not in told["undecided"]
    message(place, "initial_oncall", "slack:#incident-20270115-0800", "dry_run")
    report(tmp_path, locale="en")
    assert "initial_oncall was a dry run" in boxes(place)["Incident channel created (#incident-YYYYMMDD-HHMM)"]
    # In a scenario 2 nobody has to tell users, and there is no list for data.
    other = lay_down(tmp_path / "two", stopped("scenario2").end(9, "contained"))
    report(tmp_path / "two", locale="en")
    assert boxes(other)["Users notified (if P0)"] == "- [x] **Users notified (if P0)** — not needed: P1"
    assert "Data integrity audit complete" not in boxes(other)


def test_a_watch_is_as_stable_as_it_was_judged_itself(tmp_path: Path) -> None:
    def box(name: str, *judged: tuple[int, str]) -> str:
        story = stopped("scenario1")
        for number, (seconds, verdict) in enumerate(judged):
            told = {"verdict": verdict, "settled": True, "watched_seconds": seconds}
            story.play(10 + number, "Watch").task(
                20 + number, "metric_gate", told, {"metrics": METRICS}, role="observe"
            )
        place = lay_down(tmp_path / name, story.end(60, "contained"))
        report(tmp_path / name, locale="en")
        return boxes(place)["System stable for 30+ minutes"]

    # The long watch was bad, and what is good by now was not watched for long.
    assert "- [ ]" in box("short", (3600, "degraded"), (10, "ok"))
    assert "- [ ]" in box("bad", (3600, "ok"), (10, "degraded"))
    assert "- [x]" in box("well", (10, "degraded"), (3600, "ok"), (10, "ok"))


def test_the_tasks_that_look_at_the_application_have_the_names_that_are_looked_for() -> None:
    roles = Path(__file__).parents[2] / "roles"
    assert f"name: {HEALTH}" in (roles / "walk/tasks/health.yml").read_text()
    assert "name: Walk through the application" in (roles / "walk/tasks/main.yml").read_text()


def test_who_is_to_be_called_is_asked_for_role_by_role_where_nobody_was_named(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    report(tmp_path, locale="en")
    assert "| On-Call Engineer | – | – | – |" in (place / "checklists.md").read_text()
    report(tmp_path, locale="en", contacts=[{"role": "DBA", "primary": "Ana"}])
    written = (place / "checklists.md").read_text()
    assert "| `DBA` | `Ana` | `–` | `–` |" in written
    assert "On-Call Engineer |" not in written


def test_an_open_box_says_what_to_do_and_never_a_command_that_stops_people(tmp_path: Path) -> None:
    place = lay_down(tmp_path, stopped("scenario3").end(9, "contained"))
    for locale, tick, below in (("en", "tick it", "Root cause"), ("pt_BR", "marque", "Causa raiz")):
        report(tmp_path, locale=locale)
        found = boxes(place)
        lacking = [line for line in found.values() if "scenario1.yml" in line or "triage.yml" in line]
        assert len(lacking) == 6
        assert all(tick in line and "ansible-playbook" not in line for line in lacking)
        assert sum(line.endswith(f": {below}") for line in found.values()) == 3


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("- Add an index - Owner: Ana - Due: 2026-12-01", ("Add an index", "Ana", "2026-12-01", False)),
        ("* [x] Criar - Responsável: Rui - Prazo: amanhã", ("Criar", "Rui", "amanhã", True)),
        ("- Due first - Due: 1 - Owner: B", ("Due first", "B", "1", False)),
        ("nobody's", ("nobody's", "", "", False)),
    ],
)
def test_action_items_as_people_write_them(line: str, found: tuple[str, str, str, bool]) -> None:
    (item,) = action_items(f"\n{line}\n- \n")
    assert tuple(item.values()) == found
