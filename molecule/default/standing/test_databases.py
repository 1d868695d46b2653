# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica streams from the primary."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.asked import psql

testinfra_hosts = ["ansible://db2"]


def test_the_replica_still_streams(host: Any) -> None:
    assert psql(host, "SELECT status FROM pg_stat_wal_receiver") == "streaming"
