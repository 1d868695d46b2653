# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of a roll-back of some tenants, of one that was not enough, and of a pause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.errors import Errors
from tests.integration.journals import Place
from tests.integration.people import INCIDENT, People, outbox, people
from tests.integration.place import Database
from tests.playbooks.runner import Run

# One metric that the database itself provides: good; bad until the second kill; good and bad in turn.
GOOD = "SELECT 0"
BAD_UNTIL_ALL = "SELECT count(*) % 2 FROM kanban_rollback.events WHERE event = 'disabled' AND source = 'feature_flag'"
BY_TURNS = "SELECT mod(count(*), 2) FROM kanban_rollback.events WHERE data ->> 'gate' = 'scenario2'"
OTHERS = ("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")
ROLLOUT, INCIDENTS, ENGINEERING = "#kanban-v2-rollout", "#incidents", "#engineering"
SECONDS = 900


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path) as running:
        yield running


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """Twenty companies of three users each that are on; three of them suffer."""
    errors = Errors(db)
    errors.companies(*range(1, 21), users=3)
    for tenant, number in ((1, 40), (2, 30), (3, 20)):
        errors.log(tenant, number)
    return Place(db, directory)


def run(place: Place, everybody: People, name: str = "scenario2", query: str = GOOD, **more: Any) -> Run:
    """Run a playbook with a watch of seconds, and messages on; a busy machine gives figures all the same."""
    given = {
        **everybody.services,
        "kanban_flag": {},
        "kanban_ranking": {"deadline": 10, "more_than": 10},
        "kanban_metrics": {**dict.fromkeys(OTHERS), "pulse": {"where": "db", "source": "sql", "query": query}},
        "kanban_thresholds": {**dict.fromkeys(OTHERS), "pulse": {"max": 0.5, "consecutive": 3}},
        "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.05},
        "kanban_gate_interval": 1,
        "kanban_gate_initial_delay": 0,
        "kanban_investigate_seconds": 1,
        **more,
    }
    return place.start(name, "-e", "communicate_look_seconds=60", **given).wait(timeout=SECONDS)


def lines(text: str) -> list[str]:
    """Return the lines of a message that say something."""
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.drill
def test_the_companies_of_the_list_are_told_with_their_figures_and_the_end_of_it(
    place: Place, everybody: People
) -> None:
    held = run(place, everybody)
    assert (held.rc, "Messages: 9 sent" in held.output) == (0, True), held.output
    heard = everybody.heard
    assert {who: len(texts) for who, texts in heard.items()} == {
        ROLLOUT: 2, INCIDENT: 2, ENGINEERING: 1, "tech_leads": 2, "pagerduty": 2,
    }  # fmt: skip
    began, ended = heard[ROLLOUT]
    assert lines(began)[0] == "⚠️ P1: Kanban V2 desabilitado para 3 companies com problemas. Observando se isso basta."
    assert lines(began)[1].startswith("Canal do incidente: #incident-")
    assert lines(ended)[:7] == [
        "PROBLEMA DE PERFORMANCE - PARCIALMENTE RESOLVIDO",
        "Problema: Degradação de performance no Kanban V2",
        "Impacto: 3 companies com lentidão",
        "Ação: Rollback seletivo para 3 companies mais afetadas",
        "Status: Performance normalizada para 100% das companies",
        "Previsão de resolução completa: ainda não conhecida",
        "Usuários afetados: 9",
    ]
    assert [*heard[ENGINEERING], heard[INCIDENT][1]] == [ended] * 2
    assert lines(heard[INCIDENT][0])[4:6] == [
        "Companies com o V2 desligado: 3 de 20; com o V2 ainda ligado: não medido",
        "Usuários afetados: 9",
    ]
    assert "3 companies" in heard["tech_leads"][0]
    assert heard["pagerduty"] == [f"trigger P1: Kanban V2 parado, incidente {held.incident}", "resolve"]


@pytest.mark.drill
@pytest.mark.timeout(4 * SECONDS)
def test_the_same_again_tells_nothing_and_the_undo_tells_that_they_are_back(place: Place, everybody: People) -> None:
    held = run(place, everybody, kanban_locale="en")
    told = everybody.heard
    assert lines(told[ROLLOUT][1])[:5] == [
        "PERFORMANCE ISSUE - PARTIALLY RESOLVED",
        "Issue: Performance degradation in Kanban V2",
        "Impact: 3 companies with slowness",
        "Action: Selective rollback for the 3 most affected companies",
        "Status: Performance back to normal for 100% of the companies",
    ]
    assert "Companies switched off: 3 of 20; left on: not measured" in told[INCIDENT][0]
    again = run(place, everybody, kanban_locale="en")
    assert (again.rc, again.incident, everybody.heard) == (0, held.incident, told), again.output
    assert len(place.journals(held.incident)) == 2
    back = run(place, everybody, "reenable", kanban_reenable="all", kanban_locale="en")
    assert back.rc == 0, back.output
    new = {who: texts[len(told.get(who, [])) :] for who, texts in everybody.heard.items()}
    assert {who: len(texts) for who, texts in new.items() if texts} == {ROLLOUT: 1, "tech_leads": 1}
    assert lines(new[ROLLOUT][0])[:3] == [
        f"Kanban V2 back on for everybody who had it, incident {held.incident}",
        "Companies on now: 20 of 20 that had it",
        "Status: as planned",
    ]


@pytest.mark.drill
@pytest.mark.timeout(4 * SECONDS)
def test_what_was_not_enough_goes_on_to_everybody_while_slack_hangs(place: Place, everybody: People) -> None:
    everybody.told.order({"on": "chat.postMessage", "has": ROLLOUT, "hang": 90, "closed": True})
    given: dict[str, Any] = {
        "kanban_locale": "en",
        "kanban_escalate": "auto",
        "kanban_watch_minutes": {"scenario1": 0, "scenario2": 0.2},
        "kanban_validate_seconds": 10,
    }
    escalated = run(place, everybody, query=BAD_UNTIL_ALL, **given)
    assert escalated.rc == 0, escalated.output
    heard, incident = everybody.headlines, escalated.incident
    # The first message of scenario 2 hung on its way; those who wait there hear how it went on.
    assert heard[ROLLOUT] == ["🚨 P0: Kanban V2 disabled globally. Investigating the root cause.", "INCIDENT RESOLVED"]
    assert heard[INCIDENTS] == heard[ROLLOUT]
    assert heard[INCIDENT] == [
        f"P1: Kanban V2 stopped, incident {incident}",
        f"P0: Kanban V2 stopped, incident {incident}",
        "INCIDENT RESOLVED",
    ]
    assert heard["pagerduty"] == [*(f"trigger {line}" for line in heard[INCIDENT][:2]), "resolve"]
    assert heard["users"] == ["Kanban board: a problem", "Kanban board: solved"]
    assert [text.partition(":")[0] for text in heard["page"]] == ["investigating", "resolved"]
    # The users of three companies are not those of twenty; these are counted meanwhile, and no message waits for that.
    first, second, end = everybody.heard[INCIDENT]
    assert "Users affected: 9" in first
    (affected,) = (line for line in lines(second) if line.startswith("Users affected: "))
    assert affected in ("Users affected: not measured", "Users affected: 60")
    assert "Companies switched off: 20 of 20; left on: 0" in second
    assert "Affected Users: 60" in end
    assert "Impact: 20 companies affected for " in end
    assert outbox(place.incidents, incident)["scenario2-announce"] == {f"slack:{ROLLOUT}": "unknown"}
    # Nothing of it came before the stop, and nothing waited for what hung.
    (journal,) = place.journals(incident)
    found = [json.loads(line) for line in journal.read_text().splitlines()]
    kills = [line["seq"] for line in found if line["source"] == "feature_flag" and line["event"] == "task ended"]
    tells = [line["seq"] for line in found if line["data"].get("role") == "communicate"]
    assert min(kills) < min(tells)
    assert max(line["data"]["seconds"] for line in found if line["event"] == "play ended") < 85
    # What may have arrived is sent again on request.
    report = run(place, everybody, "report", kanban_notify_again=True)
    assert f"Messages of {incident}: 1 sent now" in report.text, report.output
    assert len(everybody.headlines[ROLLOUT]) == 3


@pytest.mark.drill
@pytest.mark.timeout(4 * SECONDS)
def test_who_is_held_is_told_as_not_off_and_a_pause_switches_nobody(place: Place, everybody: People) -> None:
    with place.db.transaction('UPDATE "Companies" SET name = name WHERE id = 1'):
        held = run(place, everybody, kanban_deadline=3, kanban_watch_minutes={"scenario2": 0})
    assert held.rc != 0, held.output
    incident = held.incident
    assert everybody.headlines == {
        ROLLOUT: [
            f"🚨 P1: Kanban V2 ainda NÃO está desabilitado em toda parte. A execução continua; incidente {incident}.",
            f"P1 ATUALIZAÇÃO: Kanban V2 NÃO contido, incidente {incident}",
        ],
        INCIDENT: [
            f"P1: Kanban V2 NÃO parado em toda parte, incidente {incident}",
            f"P1 ATUALIZAÇÃO: Kanban V2 NÃO contido, incidente {incident}",
        ],
        "tech_leads": [
            f"P1: Kanban V2 está sendo desabilitado, incidente {incident}",
            f"P1 ATUALIZAÇÃO: Kanban V2 NÃO contido, incidente {incident}",
        ],
        "pagerduty": [f"trigger P1: Kanban V2 NÃO parado em toda parte, incidente {incident}"],
    }
    told = everybody.headlines
    paused = run(place, everybody, kanban_pause=True)
    assert paused.rc == 0, paused.output
    new = {who: texts[len(told.get(who, [])) :] for who, texts in everybody.headlines.items()}
    line = f"P1 ATUALIZAÇÃO: Kanban V2 rollout pausado, incidente {incident}"
    assert {who: texts for who, texts in new.items() if texts} == {
        ROLLOUT: [line], INCIDENT: [line], "tech_leads": [line],
    }  # fmt: skip
    assert "nenhuma outra company recebe o Kanban V2; ele não foi desligado em nenhuma" in everybody.heard[ROLLOUT][-1]


@pytest.mark.drill
@pytest.mark.timeout(2 * SECONDS)
def test_where_nobody_suffers_nobody_is_told(place: Place, everybody: People) -> None:
    place.db.rows('TRUNCATE "ErrorLogs"')
    nobody = run(place, everybody)
    assert "Messages:" not in nobody.screen, nobody.output
    assert everybody.heard == {}
