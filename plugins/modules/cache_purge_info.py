#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_purge_info
short_description: Tell whether a purge of the cache would be allowed
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Tries the commands of M(chatia.kanban_rollback.cache_purge) as its user, ahead of the day and without changing
    anything. It runs one step of C(SCAN). It queues C(UNLINK), for one key that matches each of O(patterns), and
    C(FLUSHDB) behind C(MULTI) and discards them, because Redis checks a user's rights when a command is queued. If
    C(MULTI) is refused, it sends C(UNLINK) for a key that does not exist, and does not try patterns that name a key
    itself.
  - No key is read, and none is removed. In check mode, M(chatia.kanban_rollback.cache_purge) tells how many keys it
    would remove.
options:
  patterns:
    description: The option O(chatia.kanban_rollback.cache_purge#module:patterns).
    type: list
    elements: str
    default: []
  flush:
    description: The option O(chatia.kanban_rollback.cache_purge#module:flush), which needs all keys.
    type: bool
    default: false
  force:
    description: The option O(chatia.kanban_rollback.cache_purge#module:force), which uses C(FLUSHDB).
    type: bool
    default: false
  deadline:
    description: Seconds after which everything ends, retries included.
    type: float
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.redis
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.cache_purge
"""

EXAMPLES = r"""
- name: Check whether the cache could be purged on the day
  chatia.kanban_rollback.cache_purge_info:
    patterns: ["cache:*", "kanban:*"]
  register: purge
  failed_when: purge.can_purge is not true
"""

RETURN = r"""
can_purge:
  description:
    - Whether this user could purge on this server now. V(false) if a right is missing or this is a replica; null if
      something could not be tried.
  returned: success
  type: bool
can_purge_why:
  description: Why not, and the line that grants what is missing; null if the purge is possible.
  returned: success
  type: str
missing:
  description: The rights that are missing, as C(ACL SETUSER) takes them.
  returned: success
  type: list
  elements: str
  sample: ["+unlink", "~cache:*"]
untried:
  description: The rights that could not be tried.
  returned: success
  type: list
  elements: str
server:
  description: Which Redis this was, with the fields that M(chatia.kanban_rollback.write_block) returns.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong, why it matters and what to do, a C(code) for machines, and the C(page) of the
      documentation that says more.
  returned: failure
  type: dict
"""

from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import wish_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeproof import look
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redislogin import (
    REDIS,
    redis_login_from,
    redis_spec,
)

# What only a purge needs to be told, not a look.
_NOTHING: Mapping[str, Any] = {"protected": [], "write_block_key": None, "batch": 1000, "max_block_ms": 20.0}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **redis_spec(),
            "patterns": {"type": "list", "elements": "str", "default": []},
            "flush": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 0.5)
        return look(redis_login_from(params), wish_from({**params, **_NOTHING}), params["deadline"]), None

    run(module, work, REDIS)


if __name__ == "__main__":
    main()
