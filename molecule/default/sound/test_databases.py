# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is corrupt, on the primary and the replica."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal.asked import psql
from tests.rehearsal.steady import CORRUPT

testinfra_hosts = ["ansible://db"]


@pytest.mark.parametrize("kind", CORRUPT)
def test_nothing_is_corrupt(host: Any, kind: str) -> None:
    assert psql(host, CORRUPT[kind]) == "0"
