# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each answer of the application's hosts leads to: a line for what is missing, and none for V2."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflightscenarios as checks
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, ServerError, Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightapplication import (
    application_items,
    metric_items,
    no_application_item,
    purge_items,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import Item, Seen
from tests.unit.applications import SAMPLE, Answer, application

FAILED = {"failed": True, "msg": "no", "error": {"what": "There is no program pm2.", "todo": "Give its whole path."}}
REFUSED = ServerError(
    "missing_privilege", "This role lacks SELECT (a) on t.", "W.", "Grant it: GRANT SELECT (a) ON t TO me;"
)
MISSING = BadInput("missing_table", "There is no table 'Lanes'.", "W.", "Set kanban_tables.")
HELD = Timeout("lock_timeout", "PostgreSQL gave up waiting.", "W.", "See who blocks.")


def seen(answers: Answer) -> list[Seen]:
    return [Seen("a1", "app", answers)]


def only(items: list[Item]) -> Item:
    (item,) = items
    for text in (item.what, item.why, item.todo):
        assert len(text) > 5, item
    assert "\n" not in item.line
    return item


def test_nothing_is_missing_where_v2_is_served() -> None:
    assert application_items(seen(application())) == []
    assert application_items(seen({"ping": {"unreachable": True}})) == []


@pytest.mark.parametrize(
    ("answers", "name", "must", "words"),
    [
        ({"pm2": FAILED}, "pm2", True, "There is no program pm2."),
        ({"pm2": {}}, "pm2", True, "it was not asked"),
        ({"pm2": {"processes": [], "missing": ["api"], "problems": ["x"], "logs_read": True}}, "pm2", True, "api"),
        ({"pm2": {"processes": [], "missing": [], "problems": [], "logs_read": True}}, "pm2", True, "any process"),
        ({"flag": {"processes": []}}, "flag_seen", True, "no process answered"),
        ({"flag": {}}, "flag_seen", True, "it was not asked"),
        ({"walk": FAILED}, "walk", True, "There is no program"),
        ({"walk": {"skipped": True}}, "walk", False, "There is no walk"),
        ({"lacking": ["kanban_app_user"]}, "walk", True, "needs kanban_app_user"),
    ],
)
def test_what_is_missing(answers: Answer, name: str, must: bool, words: str) -> None:
    item = only(application_items(seen(application(**answers))))
    assert (item.name, item.must, item.ok, item.host) == (name, must, False, "a1")
    assert words in item.what


def test_pm2_that_is_not_used_and_pm2_that_is_not_well() -> None:
    assert application_items(seen(application(pm2={"skipped": True, "processes": []}))) == []
    log = {"path": "/l/api.log", "state": "forbidden", "reason": "permission denied"}
    pm2 = {"processes": [{"log_files": [log]}], "missing": [], "problems": ["api: down"], "logs_read": False}
    item = only(application_items(seen(application(pm2=pm2))))
    assert (item.must, item.what) == (False, "api: down; /l/api.log is not read: permission denied.")


@pytest.mark.parametrize(("status", "must"), [(404, True), (302, True), (None, True), (503, False), (500, False)])
def test_health_that_is_no_answer_is_missing_and_one_that_is_bad_is_an_answer(status: int | None, must: bool) -> None:
    health = {"passed": False, "base_url": "http://u", "steps": [{"status": status, "why": "it answered so"}]}
    item = only(application_items(seen(application(health=health))))
    assert (item.name, item.must) == ("health", must)


def test_an_answer_about_the_flag_that_is_not_understood() -> None:
    rows = application()["flag"]["processes"]
    odd = {**rows[0], "understood": False, "error": "it answered\n404"}
    item = only(application_items(seen(application(flag={"processes": [*rows, odd]}))))
    assert (item.name, item.must) == ("flag_seen", True)
    assert item.what == "Which board is served is not clear: http://127.0.0.1:8080: it answered 404."


METRICS: dict[str, Any] = {"error_rate": {"url": "u"}, "odd": {"url": "u"}, "dropped": None}
LIMITS: dict[str, Any] = {"error_rate": {"max": 1}, "odd": {"max": 1, "no_data": "ignore"}}


def metrics(samples: Any, limits: dict[str, Any] | None = None, measured: dict[str, Any] | None = None) -> list[Item]:
    return metric_items(
        seen(application(samples=samples)), {}, measured or METRICS, LIMITS if limits is None else limits
    )


def test_figures() -> None:
    good = {"samples": [SAMPLE, {**SAMPLE, "metric": "odd"}]}
    assert metrics(good) == []
    for code in ("first_scrape", "idle"):
        assert metrics({"samples": [{**SAMPLE, "value": None, "code": code, "error": "x"}]}) == []
    silent = {"value": None, "code": "status", "error": "HTTP 503"}
    item = only(metrics({"samples": [{**SAMPLE, **silent}]}))
    assert (item.must, item.host, "error_rate: HTTP 503" in item.what) == (True, "a1", True)
    assert only(metrics({"samples": [{**SAMPLE, **silent, "metric": "odd"}]})).must is False
    null = {"value": None, "code": "null", "error": "it is null, no number"}
    assert metrics({"samples": [{**SAMPLE, **null, "metric": "odd"}]}) == []
    assert only(metrics({"samples": [{**SAMPLE, **null}]})).must is True
    assert only(metrics(FAILED)).must is True
    assert metrics({"skipped": True}) == []
    found = metric_items([], {"samples": [{**SAMPLE, **silent}]}, METRICS, LIMITS)
    assert only(found).host == "localhost"


def test_figures_without_a_source_or_a_threshold_are_named() -> None:
    good = {"samples": [SAMPLE]}
    item = only(metrics(good, {**LIMITS, "dropped": {"max": 1}, "other": {"max": 1}}))
    assert (item.must, "not measured: dropped, other" in item.what) == (False, True)
    item = only(metrics(good, {"error_rate": {"max": 1}}))
    assert (item.must, "not judged: odd" in item.what) == (False, True)
    # This is how an inventory drops one of the profile's metrics.
    assert metrics(good, {**LIMITS, "dropped": None, "other": None}) == []
    assert "not judged: odd" in only(metrics(good, {**LIMITS, "odd": None})).what
    wrong, nothing, *_rest = metrics(good, {"error_rate": {}})
    assert (wrong.must, "neither max nor min" in wrong.what) == (True, True)
    assert (nothing.must, "both a source" in nothing.what) == (True, True)
    odd, *_rest = metrics(good, None, {"error_rate": {"url": "u", "where": "apps"}})
    assert (odd.must, "both a source" in odd.what) == (True, True)
    # The same holds for the limits of a profile whose name is misspelt.
    profile, *_rest = metrics(good, {})
    assert (profile.must, "kanban_threshold_profile" in profile.todo) == (True, True)


def test_the_cache_is_needed_where_there_is_an_application() -> None:
    def purge(answer: Answer, must: bool = True) -> list[Item]:
        return purge_items([Seen("r1", "redis", {"ping": {"ping": "pong"}, "purge": answer})], must)

    assert purge({"can_purge": True}) == []
    refused = {"can_purge": False, "can_purge_why": "lacks +unlink", "server": {"writable": True}}
    for must in (True, False):
        assert [only(purge(answer, must)).must for answer in (refused, FAILED, {})] == [must] * 3
    assert only(purge({**refused, "can_purge": None})).ok is None
    assert purge({**refused, "server": {"writable": False}}) == []


def test_no_application_is_advice() -> None:
    assert [no_application_item(configured).must for configured in (True, False)] == [False, False]


def names(errors: Any) -> list[tuple[str, bool | None, str]]:
    return [(check.name, check.ok, check.severity) for check in checks.integrity_check(errors)]


def test_checks_of_the_data() -> None:
    assert names({"a": None}) == [("integrity", True, "must")]
    assert names({"a": None, "b": MISSING}) == [("integrity", True, "must"), ("integrity_applies", False, "should")]
    assert names({"a": MISSING}) == [("integrity", True, "must"), ("integrity_applies", False, "must")]
    assert names({"a": REFUSED, "b": HELD}) == [("integrity", False, "must")]
    assert names({"a": HELD, "b": None}) == [("integrity", None, "must")]
    assert names({}) == [("integrity", False, "should")]
    assert checks.integrity_check({"a": REFUSED})[0].todo == REFUSED.todo


def test_the_ranking_and_what_is_beside_it() -> None:
    assert checks.errors_check(None, "public.ErrorLogs").ok is True
    refused = checks.errors_check(REFUSED, "e")
    assert (refused.ok, refused.severity, refused.todo) == (False, "must", REFUSED.todo)
    hint = "public.e has 40 MB and no index on at: all of it is read each time. CREATE INDEX ON e (at);"
    index = checks.index_check(hint)
    assert (index.severity, index.what) == ("should", "public.e has 40 MB and no index on at.")
    assert index.todo == "At a quiet hour: CREATE INDEX ON e (at);"
    assert checks.index_check(None).ok is True
    assert (checks.beside_check([]).ok, checks.beside_check(["x"]).severity) == (True, "should")
    assert (checks.no_errors_check().ok, checks.no_errors_check().severity) == (False, "should")
    assert checks.figure_check("queue", None).ok is True
    assert checks.figure_check("queue", REFUSED).what == f"queue: {REFUSED.what}"
    assert checks.as_advice(refused).severity == "should"
