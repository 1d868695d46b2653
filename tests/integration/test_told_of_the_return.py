# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told after the stop: of repair and undo, of the release, of the return and of a second stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import playbook
from tests.integration.crowd import population
from tests.integration.journals import Place, lines, tasks
from tests.integration.metrics import application
from tests.integration.people import INCIDENT, People, outbox, people
from tests.integration.place import Database
from tests.integration.releases import FORGETS, REMEMBERS, Stopped
from tests.integration.returns import CHECKS, Return
from tests.playbooks.runner import Run
from tests.staging.local import Local
from tests.staging.settings import fill
from tests.support.processes import wait_until
from tests.support.servers import Postgres, Redis, workspace

ROLLOUT, INCIDENTS, ENGINEERING = "#kanban-v2-rollout", "#incidents", "#engineering"
SECONDS = 900
# A busy machine gives figures all the same.
PATIENT = ("-e", "communicate_look_seconds=60", "-e", "communicate_keep_seconds=60")

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[People]:
    with people(tmp_path) as running:
        yield running


class News:
    """What was heard since the last call."""

    def __init__(self, everybody: People) -> None:
        self._everybody, self._heard = everybody, dict[str, int]()

    def __call__(self) -> dict[str, list[str]]:
        whole = self._everybody.heard
        new = {who: texts[self._heard.get(who, 0) :] for who, texts in whole.items()}
        self._heard = {who: len(texts) for who, texts in whole.items()}
        return {who: texts for who, texts in new.items() if texts}


def heads(news: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the first line of each."""
    return {who: [text.partition("\n")[0] for text in texts] for who, texts in news.items()}


@pytest.fixture
def site(directory: Path) -> Iterator[Stopped]:
    """The real application, on, with its data sound."""
    with (
        workspace() as place,
        Postgres(place / "pg", {"autovacuum": False}, fsync=False) as postgres,
        Redis(place / "redis") as redis,
    ):
        postgres.create_database("chatia")
        with postgres.connect("chatia") as session:
            fill(session)
        where = {"host": redis.host, "port": redis.port, "password": redis.password}
        with Local(directory, postgres.parameters("chatia"), where) as app:
            yield Stopped(directory, Database(postgres, "chatia"), redis, app)


def test_stop_release_a_second_stop_and_the_return_are_told_once_each(  # noqa: PLR0915 - one incident, from end to end
    site: Stopped, everybody: People
) -> None:
    incidents = site.directory / "incidents"
    given = {
        **everybody.services,
        "kanban_environment": "production",
        "kanban_locale": "en",
        "kanban_incidents_dir": str(incidents),
        "kanban_dump_dir": str(site.directory / "dumps"),
        "kanban_dump_tables": [],
        "kanban_app_pm2": "",
        # One file stands for the logs.
        "kanban_app_log_files": ["/etc/os-release"],
    }
    news = News(everybody)

    def run(name: str, **more: Any) -> tuple[Run, dict[str, list[str]]]:
        hosts = site.options(**given, **more)
        done = playbook.start(site.directory, f"chatia.kanban_rollback.{name}", *hosts, *PATIENT)
        return done.wait(timeout=SECONDS), news()

    stop, told = run("scenario3")
    assert stop.rc == 0, stop.output
    (incident,) = (path.name for path in incidents.iterdir())
    off = (
        "🚨 P0: Kanban V2 disabled globally, and its writes are blocked: data corruption. Investigating the root cause."
    )
    update = f"P0 critical UPDATE: Kanban V2 data validated, incident {incident}"
    letter = f"P0 critical: Kanban V2 switched off, incident {incident}"
    begun = {
        INCIDENTS: [f"<!channel> {off}", update],
        INCIDENT: [f"P0 critical: Kanban V2 stopped, incident {incident}", update],
        "tech_leads": [letter, update],
        "executives": [letter, update],
        "users": ["Kanban board: changes are paused"],
        "pagerduty": [f"trigger P0 critical: Kanban V2 stopped, incident {incident}"],
    }
    assert heads(told) == {**begun, "page": heads(told)["page"]}
    assert [text.partition(":")[0] for text in told["page"]] == ["investigating", "None"]
    assert "Companies switched off: 60 of 200; left on: 0\nUsers affected: 180\n" in told[INCIDENT][0]
    assert "Status: data validated; writes stay blocked until release.yml\n" in told[INCIDENTS][1]
    assert everybody.page.status("cmpkanban") == "under_maintenance"

    # A release that has to be taken back does not count.
    site.db.rows(FORGETS)
    raised, told = run("release")
    assert raised.rc != 0, raised.output
    again = f"P0 critical UPDATE: Kanban V2 writes refused again, incident {incident}"
    assert {who: lines for who, lines in heads(told).items() if who != "page"} == {
        who: [again] for who in (INCIDENTS, INCIDENT, "tech_leads", "executives")
    }
    assert "were possible for a short while and are paused again" in told["page"][0]

    site.db.rows(REMEMBERS)
    released, told = run("release")
    assert released.rc == 0, released.output
    over = ["CRITICAL INCIDENT - RESOLVED"]
    ended = {
        INCIDENTS: over, INCIDENT: over, ENGINEERING: over, "tech_leads": over, "executives": over,
        "users": ["Kanban board: solved"], "pagerduty": ["resolve"],
    }  # fmt: skip
    assert heads(told) == {**ended, "page": heads(told)["page"]}
    for line in (
        "Impact: 60 companies, 0 records affected",
        "2. Assessed the extent of the corruption (0 corrupt rows)",
        "3. No data had to be recovered by us",
        "- Users: 180 affected",
    ):
        assert line in told[INCIDENTS][0]
    assert "not measured" not in told[INCIDENTS][0]
    (first,) = everybody.page.incidents
    assert (first["status"], everybody.page.status("cmpkanban")) == ("resolved", "operational")

    # Everybody is still off; only the writes are stopped again, and the page has another incident for that.
    second, told = run("scenario3")
    assert second.rc == 0, second.output
    assert heads(told) == {**begun, "page": heads(told)["page"]}
    assert [one["status"] for one in everybody.page.incidents] == ["investigating", "resolved"]
    assert everybody.page.status("cmpkanban") == "under_maintenance"
    final, told = run("release")
    assert final.rc == 0, final.output
    assert heads(told) == {**ended, "page": heads(told)["page"]}
    assert [one["status"] for one in everybody.page.incidents] == ["resolved", "resolved"]
    assert everybody.page.status("cmpkanban") == "operational"
    # The same again has nothing to tell.
    same, told = run("release")
    assert (same.rc, told) == (0, {}), same.output

    back, told = run("reenable", kanban_reenable="all")
    assert back.rc == 0, back.output
    line = f"Kanban V2 back on for everybody who had it, incident {incident}"
    assert heads(told) == {ROLLOUT: [line], "tech_leads": [line]}
    assert "Companies on now: 60 of 60 that had it\nStatus: as planned\n" in told[ROLLOUT][0]
    assert {status for routes in outbox(incidents, incident).values() for status in routes.values()} == {"sent"}


def test_a_misfire_that_is_undone_is_over_for_everybody(db: Database, directory: Path, everybody: People) -> None:
    population(db)
    place, news = Place(db, directory), News(everybody)
    given = {**everybody.services, "kanban_environment": "production", "kanban_dump_tables": [], "kanban_locale": "en"}
    stop = place.start("scenario3", *PATIENT, **given).wait(timeout=SECONDS)
    news()
    undo = place.start("reenable", *PATIENT, "-e", "kanban_reenable=all", "-e", "kanban_close=true", **given)
    undone = undo.wait(timeout=SECONDS)
    assert undone.rc == 0, undone.output
    told, over = news(), ["CRITICAL INCIDENT - RESOLVED"]
    back = [f"Kanban V2 back on for everybody who had it, incident {stop.incident}"]
    assert heads(told) == {
        ROLLOUT: back, "tech_leads": [*back, *over], INCIDENTS: over, INCIDENT: over, ENGINEERING: over,
        "executives": over, "users": ["Kanban board: solved"], "pagerduty": ["resolve"], "page": heads(told)["page"],
    }  # fmt: skip
    assert "enabled again for everybody who had it" in told[INCIDENTS][0]
    assert "The new Kanban board is back as it was before." in told["users"][0]
    assert everybody.page.status("cmpkanban") == "operational"
    assert [one["status"] for one in everybody.page.incidents] == ["resolved"]


def test_a_repair_and_its_undo_are_told_with_their_rows(db: Database, directory: Path, everybody: People) -> None:
    population(db)
    db.rows('CREATE TABLE users AS SELECT g AS id, g % 50 + 1 AS "companyId" FROM generate_series(1, 500) AS g')
    for _number in range(2):
        db.rows("INSERT INTO tickets DEFAULT VALUES")
    place, news = Place(db, directory), News(everybody)
    checks = [{**CHECKS[0], "repair": {"action": "set_value", "value": "1"}}]
    extra = playbook.given(directory, {"__kanban_integrity_checks": checks})
    given = {
        **everybody.services,
        "kanban_environment": "production",
        "kanban_dump_tables": ["tickets"],
    }

    def run(**more: Any) -> tuple[Run, dict[str, list[str]]]:
        done = place.start("scenario3", *extra, *PATIENT, **{**given, **more}).wait(timeout=SECONDS)
        return done, news()

    planned, told = run()
    incident = planned.incident
    (hash,) = set(re.findall(r"kanban_plan_hash=([0-9a-f]{64})", planned.text))
    # Nothing refuses writes here, so nobody is told that something does.
    assert lines_of(told[INCIDENTS][1]) == [
        f"P0 critical ATUALIZAÇÃO: Kanban V2 contido, incidente {incident}",
        "Status: parado",
        "Companies: V2 desligado em: 50; ainda ligado em: 0",
        "Usuários afetados: 500",
        "Registros corrompidos encontrados: 2",
        f"A seguir: o plano de reparo {hash[:12]} aguarda aprovação",
        "Previsão: ainda não conhecida",
    ]
    assert not [text for texts in told.values() for text in texts if "bloquead" in text or "pausa" in text]
    # The count came after what is looked at first: a database that suffers.
    (journal,) = place.journals(incident)
    order = [line["source"] for line in lines(journal) if line["data"].get("host") == "db1"]
    assert order.index("evidence") < order.index("pg_dump") < order.index("incident_info")
    (counted,) = [one for one in tasks(lines(journal), "incident_info") if "users_count" in one["figures"]]
    assert counted["figures"]["users_count"] == 500

    repaired, told = run(kanban_recovery="surgical", kanban_plan_hash=hash, kanban_approved_by="eva")
    assert repaired.rc == 0, repaired.output
    assert lines_of(told[INCIDENTS][0]) == [
        f"P0 critical ATUALIZAÇÃO: Kanban V2 dados recuperados, incidente {incident}",
        "Status: dados validados",
        "Companies: V2 desligado em: 50; ainda ligado em: 0",
        "Usuários afetados: 500",
        "Registros corrompidos encontrados: 2",
        "Registros reparados ou recuperados: 2; corrompidos restantes: 0",
        "Previsão: ainda não conhecida",
    ]
    assert told["page"] == [
        "None: Os dados do quadro Kanban foram verificados e reparados.\n\nAvisaremos aqui quando estiver resolvido."
    ]
    undone, told = run(kanban_recovery="undo", kanban_approved_by="eva")
    assert lines_of(told[INCIDENTS][0])[:2] == [
        f"P0 critical ATUALIZAÇÃO: Kanban V2 reparo desfeito, incidente {incident}",
        "Status: o reparo foi desfeito, e os dados estão como antes dele",
    ], undone.output
    assert sorted(told) == sorted([INCIDENTS, INCIDENT, "executives", "page", "tech_leads"])
    assert len(told["page"]) == 1


def lines_of(text: str) -> list[str]:
    """Return the lines of a message that say something."""
    return [line for line in text.splitlines() if line.strip()]


def test_a_stage_that_is_taken_back_and_the_last_one_are_told(db: Database, directory: Path, everybody: People) -> None:
    news = News(everybody)
    with application(directory / "answers") as app:
        back = Return(db, app, directory)
        given = {
            **everybody.services,
            "kanban_environment": "production",
            "kanban_incidents_dir": str(directory / "incidents"),
        }
        running = back.start(*PATIENT, **given)
        assert wait_until(lambda: ("passed", "stage 10 %") in back.stages, SECONDS), running.output
        back.app.says("metrics", {"errorRate": 7})
        failed = running.wait(timeout=SECONDS)
        assert failed.rc != 0, failed.output
        told = news()
        assert sorted(told) == [ROLLOUT, "tech_leads"]
        assert lines_of(told[ROLLOUT][0])[:3] == [
            "Kanban V2 NÃO voltou como planejado (etapa 100 %), incidente INC-1",
            "Companies ligadas agora: 2 de 20 que o tinham",
            "Status: interrompido no caminho; a última tela do operador diz por quê",
        ]
        back.app.says("metrics", {"errorRate": 0.02})
        done = back.start(*PATIENT, **{**given, "kanban_locale": "en"}).wait(timeout=SECONDS)
        assert done.rc == 0, done.output
        told = news()
        assert lines_of(told[ROLLOUT][0])[:3] == [
            "Kanban V2 back on for everybody who had it, incident INC-1",
            "Companies on now: 20 of 20 that had it",
            "Status: as planned",
        ]
        assert back.start(*PATIENT, **given).wait(timeout=SECONDS).rc == 0
        assert news() == {}
