# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route or a token that is wrong in an inventory silences nothing else, and nothing is lost until it is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_notify import by, call, message, ok, why
from tests.support.telling import TOKEN, Told, telling


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


def test_a_route_that_is_misspelt_silences_no_other(told: Told, tmp_path: Path) -> None:
    given = [message("one", "slack:@oncall"), message("two", f"slack:{told.webhook}", "pagerduty", "slack:#incidents")]
    services: dict[str, Any] = {"slack": told.slack, "pagerduty": told.pager}
    tried = ok(tmp_path, *given, check=True, **services)
    done = ok(tmp_path, *given, **services)
    assert (by(done, "sent"), told.events()) == (["pagerduty", "slack:#incidents"], ["trigger"])
    assert tried["bad_routes"] == done["bad_routes"] == ["slack:@oncall", "slack:http:…"]
    # Mended, its message goes out, and nobody is told twice.
    later = ok(tmp_path, message("one", "slack:#oncall"), given[1], **services)
    assert (by(later, "not_sent"), later["already"], told.events()) == (["slack:#oncall"], 2, ["trigger"])
    # Where no other is left, nobody would know that nobody was told.
    alone = call(tmp_path, given[0], **services)
    assert (alone["failed"], alone["error"]["code"]) == (True, "bad_route")


def test_a_token_that_no_request_can_carry_was_certainly_not_sent(told: Told, tmp_path: Path) -> None:
    half = len(TOKEN) // 2
    for key, token in (("one", f"{TOKEN[:half]}\n{TOKEN[half:]}"), ("two", f"{TOKEN}é")):
        bad = ok(tmp_path, message(key, "slack:#incidents"), slack={**told.slack, "token": token})
        assert (why(bad)[-1], bad["unknown"]) == ("The token is not one line of plain letters.", [])
        assert not [part for part in token.split() if part in json.dumps(bad)]
    assert told.asked() == []
    # Mended, but for the newline that its file ends in, it sends what was left.
    done = ok(tmp_path, message("three", "slack:#incidents"), slack={**told.slack, "token": f"{TOKEN}\n"})
    assert ([one["message"] for one in done["sent"]], done["not_sent"]) == (["one", "two", "three"], [])
