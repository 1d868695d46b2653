# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each process is healthy and serves V1 to everybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playbooks.application import PORTS
from tests.rehearsal.asked import assert_evidence_is_whole, get
from tests.staging.settings import DATA

testinfra_hosts = ["ansible://app"]


@pytest.mark.parametrize("port", PORTS)
def test_a_process_is_healthy_and_serves_v1_to_everybody(host: Any, port: int) -> None:
    assert get(host, port, "/health")["status"] == "ok"
    served = get(host, port, "/health/kanban")
    assert (served["on"], served["total"]) == (0, DATA.tenants)


def test_evidence_is_whole_and_for_its_owner_alone(host: Any) -> None:
    assert_evidence_is_whole(host)
