# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may hold a secret is never shown, and what is not a secret takes no figure out of a result."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._nolog import HIDDEN, harmless, told, without

NAMES = ("headers", "auth")
METRIC = {"name": {}, "url": {"no_log": True}, "auth": {"no_log": True}, "headers": {"no_log": True}}
SPEC: dict[str, Any] = {
    "login_password": {"no_log": True},
    "headers": {"no_log": True},
    "metrics": {"options": METRIC},
    "one": {"options": METRIC},
    "samples": {},
}


def test_a_number_or_a_few_letters_are_no_secret() -> None:
    given = {"X-Company-Id": "1", "X-Number": 7, "X-Long": "20261126", "X-Half": "1.5", "X-On": True, "X-None": None}
    params = {
        "headers": {**given, "X-Env": "prod", "Authorization": "Bearer abc", "X-Six": "abcdef", "X-IP": "1.2.3.4"}
    }
    assert harmless(SPEC, params, NAMES) == {"1", "7", "20261126", "1.5", "prod"}


def test_what_another_option_hides_too_stays_hidden() -> None:
    metrics = [{"name": "m", "url": "short", "auth": {"a": ["short", {"b": "12"}]}, "headers": None}]
    params = {"login_password": "1234", "headers": {"a": "1234", "b": "4321"}, "metrics": metrics, "one": metrics[0]}
    assert harmless(SPEC, params, NAMES) == {"4321", "12"}
    assert harmless(SPEC, params, ()) == set()


def test_within_an_option_that_is_kept_from_the_log_they_are_looked_at_one_by_one() -> None:
    spec = {"metrics": {"no_log": True, "options": METRIC}, "pin": {"no_log": True}}
    given = {"metrics": [{"name": "m", "auth": {"tenant": "1", "pin": "12", "key": "geheim"}}], "pin": "12"}
    assert harmless(spec, given, NAMES, ("metrics",)) == {"1"}
    assert harmless(spec, given, NAMES) == set()


def test_none_of_them_is_shown() -> None:
    metric = {"name": "m", "url": "u", "auth": {"pin": "12"}, "headers": {}}
    params = {"headers": {"a": "1"}, "metrics": [metric, metric], "one": metric, "samples": [{"headers": 1}], "more": 2}
    shown = {**metric, "auth": HIDDEN}
    assert without(SPEC, params, NAMES) == {
        "headers": HIDDEN, "metrics": [shown, shown], "one": shown, "samples": [{"headers": 1}], "more": 2,
    }  # fmt: skip
    assert metric["auth"] == {"pin": "12"}
    assert without(SPEC, {"metrics": None}, NAMES) == {"metrics": None}


def test_what_is_kept_from_the_log_alone_stays_in_the_result_without_its_secrets() -> None:
    spec = {"mail": {"no_log": True, "options": {"host": {}, "password": {"no_log": True}}}, "pin": {"no_log": True}}
    given = {"mail": {"host": "mx", "password": "geheim", "port": 25, "lists": {"all": ["a@b", "1234"]}}, "pin": "1234"}
    assert told(spec, given, ("mail",)) == {"mx", "25", "a@b"}
    assert told(spec, given, ()) == set()
    # What Ansible keeps is what was given, and a number may have been given without a point.
    gate = {"metrics": {"no_log": True, "options": METRIC}}
    assert told(gate, {"metrics": [{"scale": 1000.0, "check": True}]}, ("metrics",)) == {
        "1000.0", "1000", "True", "true",
    }  # fmt: skip
    assert told(spec, {"mail": None}, ("mail",)) == set()
