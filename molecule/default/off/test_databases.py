# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody has V2, on the primary and the replica; evidence is kept and only its owner can read it."""

from __future__ import annotations

from typing import Any

from tests.playbooks.place import IS_ON
from tests.rehearsal.asked import assert_evidence_is_whole, psql
from tests.staging.settings import DATA

testinfra_hosts = ["ansible://db"]


def test_nobody_has_v2(host: Any) -> None:
    assert psql(host, f'SELECT count(*) FILTER (WHERE {IS_ON}), count(*) FROM "Companies"') == f"0|{DATA.tenants}"


def test_evidence_is_whole_and_for_its_owner_alone(host: Any) -> None:
    assert_evidence_is_whole(host)
