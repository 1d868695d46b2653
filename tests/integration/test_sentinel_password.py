# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentinels have a password of their own, and the profile passes it to them, as it does with Redis' own."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from tests.integration import playbook
from tests.support.redis_server import Redis
from tests.support.sentinel import Sentinel
from tests.support.servers import workspace

KEY = "kanban:emergency:write-block"
PLAY = """
- hosts: redis
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: chatia.kanban_rollback.profile}
    - chatia.kanban_rollback.write_block:
        owner: INC-20261128-001
        key: "{{ kanban_write_block_key }}"
      module_defaults:
        group/chatia.kanban_rollback.redis: "{{ __kanban_redis }}"
"""


def test_the_master_is_found_behind_sentinels_that_ask_for_a_password(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = stack.enter_context(workspace())
        master = stack.enter_context(Redis(place / "master"))
        sentinel = stack.enter_context(Sentinel(place / "sentinel", master))
        hosts = playbook.inventory(
            tmp_path,
            {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "kanban_redis_host": "no-such-host.invalid",
                "kanban_redis_sentinels": [sentinel.address],
            },
            redis={"redis1": {}},
        )
        secrets = {"KANBAN_REDIS_PASSWORD": master.password, "KANBAN_REDIS_SENTINEL_PASSWORD": sentinel.password}
        run = playbook.run(tmp_path, playbook.written(tmp_path, PLAY), *hosts, **secrets)
        assert run.rc == 0, run.output
        with master.client() as client:
            assert client.get(KEY) == "true"
        for secret in secrets.values():
            assert secret not in run.output
