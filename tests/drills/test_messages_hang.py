# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack, the pager and mail take everything and never answer: the stop is neither later nor worse for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drills.drill import Drill
from tests.hosts.host import until
from tests.support.mailserver import MailServer, mail_server
from tests.support.telling import ROUTING_KEY, TOKEN, Told, telling

_FOREVER = 3600


def _told(told: Told, mail: MailServer) -> dict[str, Any]:
    return {
        "kanban_notify": True,
        "kanban_notify_dry_run": False,
        "kanban_notify_slack_token": TOKEN,
        "kanban_notify_slack_api_url": told.slack["api_url"],
        "kanban_notify_pagerduty_key": ROUTING_KEY,
        "kanban_notify_pagerduty_url": told.pager["url"],
        "kanban_notify_mail_host": "localhost",
        "kanban_notify_mail_port": mail.port,
        "kanban_notify_mail_tls": "none",
        "kanban_notify_mail_from": "kanban@chatia.example",
        "kanban_notify_mail_lists": {"tech_leads": ["lead@chatia.example"], "executives": ["ceo@chatia.example"]},
    }


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[tuple[Told, MailServer]]:
    """Services that accept every message and never answer."""
    with telling(tmp_path) as told, mail_server(tmp_path, hang=_FOREVER) as mail:
        told.order({"on": "/", "hang": _FOREVER, "times": 10_000})
        yield told, mail


# The services come first, because they fork and a drill has threads.
@pytest.mark.drill
def test_messages_hang(silent: tuple[Told, MailServer], drill: Drill) -> None:
    told, mail = silent
    drill.estate.site.disconnect()
    running = drill.start(extra=_told(told, mail))
    until(lambda: bool(told.asked(what="hung") and mail.mails), "people to be told", timeout=240)
    assert drill.watch.looks[-1].on == 0, "somebody was told before it was off"
    drill.stop(running=running, says=["Messages: 0 sent"])
    drill.finish()
