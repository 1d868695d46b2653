# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a backup's file was made, by a clock of whatever zone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoretime import taken_at


@pytest.fixture(autouse=True)
def _at_sao_paulo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "<-03>3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment", "zone"),
    [
        ("2026-11-25 10:11:12 UTC", "2026-11-25T10:11:12Z", None),
        ("2026-11-25 10:11:12 GMT", "2026-11-25T10:11:12Z", None),
        ("2026-11-25 10:11:12 -03", "2026-11-25T13:11:12Z", None),
        ("2026-11-25 03:11:12 +0530", "2026-11-24T21:41:12Z", None),
        ("2026-11-25 10:11:12 EST", "2026-11-25T13:11:12Z", "-03"),
        ("2026-11-25 10:11:12", "2026-11-25T13:11:12Z", "-03"),
    ],
)
def test_only_a_time_whose_zone_is_not_told_is_taken_as_this_host_s(text: str, moment: str, zone: str | None) -> None:
    assert taken_at(text) == (moment, {"zone": zone} if zone else {})


@pytest.mark.parametrize("text", [None, "2026-13-25 10:11:12", "2026-11-25 10:11:12 +9999", "9999-12-31 23:59:59"])
def test_what_is_no_time_is_no_moment(text: str | None) -> None:
    assert taken_at(text) == (None, {})
