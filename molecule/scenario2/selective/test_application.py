# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each process serves V1 to those who suffered and V2 to the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbooks.application import PORTS
from tests.rehearsal.asked import get
from tests.staging.settings import DATA

testinfra_hosts = ["ansible://app"]
SUFFERED = [4, 7, 10, 14, 17, 20]


@pytest.mark.parametrize("port", PORTS)
def test_v1_for_six_and_v2_for_the_others(host: Any, port: int) -> None:
    assert get(host, port, "/health")["status"] == "ok"
    assert not any(get(host, port, f"/health/kanban?tenant={tenant}")["v2"] for tenant in SUFFERED)
    assert get(host, port, "/health/kanban")["on"] == DATA.expected_on() - len(SUFFERED)
