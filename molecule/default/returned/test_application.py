# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each process is healthy and serves V2 to those who had it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbooks.application import PORTS
from tests.rehearsal.asked import get
from tests.staging.settings import DATA

testinfra_hosts = ["ansible://app"]


@pytest.mark.parametrize("port", PORTS)
def test_a_process_is_healthy_and_serves_v2_to_those_who_had_it(host: Any, port: int) -> None:
    assert get(host, port, "/health")["status"] == "ok"
    assert get(host, port, "/health/kanban")["on"] == DATA.expected_on()
