# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role purges every Redis that answers, and the run continues and reports which did not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.purges import CACHE, KEPT, PATTERNS, PROTECTED, Cache
from tests.support import processes

PLAY = """
- name: Purge
  hosts: redis
  gather_facts: false
  strategy: free
  tasks:
    - name: Purge
      ansible.builtin.import_role:
        name: chatia.kanban_rollback.purge
- name: Say what came of it
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Keep it
      ansible.builtin.copy:
        content: >-
          {{ groups.redis | chatia.kanban_rollback.cache_part(
               groups.redis | map('extract', hostvars) | map(attribute='__purge', default={}) | list,
               'redis') | to_json }}
        dest: "{{ result_file }}"
        mode: "0600"
"""


def purged(directory: Path, hosts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Run the role on these hosts; return how their answers are judged."""
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "kanban_cache_patterns": PATTERNS,
        "kanban_cache_protected": PROTECTED,
        "kanban_cache_flush": False,
        "purge_seconds": 2,
        "result_file": str(directory / "result.json"),
    }
    there = playbook.inventory(directory, common, redis=hosts)
    done = playbook.run(directory, playbook.written(directory, PLAY), *there)
    assert done.rc == 0, done.output
    return playbook.kept(directory)


def test_it_purges_and_goes_on_without_what_is_dead_or_refused(directory: Path) -> None:
    with Cache.started() as redis:
        login = {
            "kanban_redis_host": redis.server.host,
            "kanban_redis_port": redis.server.port,
            "kanban_redis_password": redis.server.password,
        }
        dead = {**login, "kanban_redis_port": processes.free_port()}
        flushed = {**login, "kanban_redis_db": 1, "kanban_cache_flush": True}
        for db in (0, 1):
            redis.put(CACHE, KEPT, db=db)
        done = purged(directory, {"r1": login, "r2": dead, "r3": flushed})
        assert done["bad"] == [f"the cache on {name} is not known to be purged" for name in ("r2", "r3")]
        assert done["lines"][0].startswith("r1: 350 keys purged (300 of cache:*, 50 of contacts:*:unreads)")
        assert "r3: a flush would lose 3 keys of bull:* " in "\n".join(done["lines"])
        assert redis.there() == {*KEPT}
        assert redis.there(1) == {*CACHE, *KEPT}
