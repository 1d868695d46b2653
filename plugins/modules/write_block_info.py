#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: write_block_info
short_description: Tell whether the Redis key that makes an application refuse writes is held, and by whom
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads the key and its owner as M(chatia.kanban_rollback.write_block) does. Changes nothing, and works on replicas as
    well; what a replica shows may be a little old.
options:
  key:
    description: The key that the application reads.
    type: str
    required: true
  value:
    description: Value that the application takes as "refuse writes". A boolean is taken in lower case.
    type: raw
    default: 'true'
  owner:
    description: Id of the incident. RV(ours) says whether the block belongs to it.
    type: str
    default: ''
  prove:
    description:
      - Try the privileges that holding and releasing need, without changing anything, and whether the server takes
        writes now. This detects replicas, full memory (with nothing to evict), a disk that refuses writes and
        C(min-replicas-to-write).
      - A script tries C(SET) and C(DEL) in ways that cannot have an effect. If both keys exist, C(DEL) is queued with
        C(MULTI) and discarded; if that is forbidden, it stays untried. If C(EVAL) is forbidden, C(WATCH) and C(MULTI)
        are tried instead.
      - What only O(chatia.kanban_rollback.write_block#module:force) needs is not tried.
    type: bool
    default: false
  deadline:
    description: Seconds within which everything ends, retries included.
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
notes:
  - The user needs C(~<key>), C(~<owner key>), C(+get) and C(+pttl). C(+role), C(+info) and C(+config|get) are for the
    server's facts and the warnings.
seealso:
  - module: chatia.kanban_rollback.write_block
"""

EXAMPLES = r"""
- name: See whether writes are refused
  chatia.kanban_rollback.write_block_info:
    key: kanban:emergency:write-block
  register: write_block

- name: See whether the block could be held and released on the day
  chatia.kanban_rollback.write_block_info:
    key: kanban:emergency:write-block
    prove: true
  register: write_block
  failed_when: write_block.can_write is not true
"""

RETURN = r"""
held:
  description: Whether the key has O(value).
  returned: success
  type: bool
ours:
  description: Whether the block that is there belongs to O(owner).
  returned: success
  type: bool
owner:
  description: Owner of the block; none without a block or without an owner.
  returned: success
  type: str
  sample: INC-20261125-042
value:
  description: The key's value, cut to 200 characters; none without a key, or for another type.
  returned: success
  type: str
  sample: 'true'
type:
  description: C(none), C(string) or C(other).
  returned: success
  type: str
ttl_seconds:
  description: Seconds until it ends by itself, that is until RV(value) expires; none without expiry.
  returned: success
  type: int
owner_ttl_seconds:
  description:
    - The same for the key of RV(owner). M(chatia.kanban_rollback.write_block) gives both the same. If one of them was
      changed by hand, there is a warning.
  returned: success
  type: int
can_write:
  description:
    - Whether this user could hold and release the block on this server now. V(false) if a right is missing, or if the
      server refuses writes or is a replica; none if nothing was refused but not everything could be tried.
  returned: success and O(prove=true)
  type: bool
can_write_why:
  description: Why it could not, and what to do; none if it could.
  returned: success and O(prove=true)
  type: str
  sample: "redis-1:6379: the user app lacks +set. The write block could not be held and released. Grant it: ACL …"
missing:
  description: The rights that are missing, as C(ACL SETUSER) takes them.
  returned: success and O(prove=true)
  type: list
  elements: str
  sample: ["+set"]
untried:
  description: The rights that could not be tried without changing something.
  returned: success and O(prove=true)
  type: list
  elements: str
  sample: []
server:
  description: Which Redis this was, with the fields that M(chatia.kanban_rollback.write_block) returns.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: when a server was tried
  type: int
tries:
  description: How often it was tried.
  returned: when no server could be used
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do, as from M(chatia.kanban_rollback.write_block).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import wish_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockentry import read_block
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redislogin import (
    REDIS,
    redis_login_from,
    redis_spec,
)


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **redis_spec(),
            "key": {"type": "str", "required": True, "no_log": False},
            "value": {"type": "raw", "default": "true"},
            "owner": {"type": "str", "default": ""},
            "prove": {"type": "bool", "default": False},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        wish = wish_from(params, present=True)
        return read_block(redis_login_from(params), wish, params["deadline"], params["prove"])

    run(module, work, REDIS)


if __name__ == "__main__":
    main()
