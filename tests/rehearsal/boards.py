# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards as people open them: logged in, at each process of the application."""

from __future__ import annotations

from collections.abc import Iterator

from tests.rehearsal.estate import Estate
from tests.staging.local import ask
from tests.staging.settings import email


def versions(estate: Estate, tenant: int) -> Iterator[int]:
    """Yield the version of a company's board from each process; raises AssertionError if one shows no lane."""
    for url in estate.application.urls:
        status, board = ask(f"{url}/kanban/board", token=logged_in(estate, url, tenant))
        assert status == 200, (url, board)
        assert board["lanes"], url
        yield board["version"]


def logged_in(estate: Estate, url: str, tenant: int) -> str:
    """Log a person of this company in, and return the token; raises AssertionError if that is refused."""
    person = {"email": email(tenant), "password": estate.application.secrets.password}
    status, session = ask(f"{url}/auth/login", person)
    assert status == 200, (url, session)
    return str(session["token"])
