#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: write_block
short_description: Hold, renew or release the Redis key that makes an application refuse writes
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Sets a key in Redis that the application reads before it writes, together with its owner, an incident, in a second
    key. Both are set and released in one step (a Lua script, or C(WATCH) if the user may not C(EVAL)). If another
    client changed them in between, that step does nothing, and the module reads them again. The result is read back.
  - The second key is C({<key>}:owner), in the same hash slot, or C(<key>:owner) if the key already has braces.
  - A block of another owner also refuses writes. O(state=present) leaves it theirs, reports RV(held=true) and
    RV(ours=false), and warns. If it would end before O(ttl), or if O(ttl=0) and it would end at all, it gets that time
    and stays theirs, see RV(prolonged). A block without an owner, one that was typed by hand, is taken over.
  - Both keys always get the same expiry. If they have different ones, O(state=present) corrects that.
options:
  key:
    description: The key that the application reads.
    type: str
    required: true
  value:
    description:
      - Value that the application takes as "refuse writes". A boolean is written in lower case, as C(true) or C(false).
    type: raw
    default: 'true'
  state:
    description:
      - V(present) sets it, V(absent) releases it.
      - V(absent) releases a block of O(owner), and one without an owner. It releases another owner's block only with
        O(force), whether or not it was prolonged.
    type: str
    choices: [present, absent]
    default: present
  ttl:
    description:
      - Seconds until it ends by itself. V(0) keeps it until it is released, and removes the expiry from a block that
        has one.
      - Running the task again renews it. The time is never shortened, and a block of ours (or of nobody) that has no
        expiry gets none, unless O(force) is given.
      - At most 31622400 (366 days). More is refused before anything is sent.
    type: int
    default: 0
  owner:
    description:
      - Id of the incident. Whoever acts for that incident can renew and release the block.
    type: str
    required: true
  force:
    description:
      - Take over, or release, another owner's block; overwrite a key of another type, or another value. RV(previous)
        has what was there. What that cannot show (another type, more than 200 characters) is renamed, see
        RV(set_aside). This is an override, to be given with a reason.
    type: bool
    default: false
  on_replica:
    description:
      - What to do on a replica. V(fail) fails, V(skip) leaves it alone with a result that says so. Not used with
        O(sentinels).
    type: str
    choices: [fail, skip]
    default: fail
  deadline:
    description: Seconds within which everything ends, retries included.
    type: float
    default: 10
extends_documentation_fragment:
  - chatia.kanban_rollback.redis
attributes:
  check_mode:
    support: full
    description: Changes nothing, and tells what would be there.
  diff_mode:
    support: full
    description: Shows key, value, owner and whether it expires.
    details: A change of only the seconds that are left is not a difference.
notes:
  - The user needs C(~<key>), C(~<owner key>), C(+get), C(+pttl), C(+eval) (or C(+watch), C(+multi), C(+exec) and
    C(+unwatch)), C(+set) and C(+del); with O(force), also C(+renamenx) and C(~<owner key without "owner">set-aside:*).
    C(+role), C(+info), C(+wait) and C(+config|get) are for the warnings alone. The module asks with C(ROLE), else with
    C(INFO), whether a server is a master. If both are forbidden, the result warns and the block is still set.
  - A key can be evicted, or lost with a restart or failover. If that can happen, the result warns, and only the fence
    in PostgreSQL refuses writes reliably.
seealso:
  - module: chatia.kanban_rollback.write_block_info
"""

EXAMPLES = r"""
- name: Refuse writes until the incident is over
  chatia.kanban_rollback.write_block:
    key: kanban:emergency:write-block
    owner: INC-20261125-042

- name: The same, with Sentinels that know the master
  chatia.kanban_rollback.write_block:
    sentinels: [sentinel-1:26379, sentinel-2:26379, sentinel-3:26379]
    sentinel_name: chatia
    login_password: "{{ vault_redis_password }}"
    key: kanban:emergency:write-block
    owner: INC-20261125-042
    ttl: 7200

- name: Let the application write again
  chatia.kanban_rollback.write_block:
    key: kanban:emergency:write-block
    owner: INC-20261125-042
    state: absent
"""

RETURN = r"""
changed:
  description: Whether key, value, owner, or whether it ends by itself, was changed. A renewal alone is not a change.
  returned: always
  type: bool
held:
  description: Whether the key has O(value) now.
  returned: when the server could be read
  type: bool
ours:
  description: Whether the block that is there belongs to O(owner).
  returned: when the server could be read
  type: bool
owner:
  description: Owner of the block; none without a block or without an owner.
  returned: when the server could be read
  type: str
  sample: INC-20261125-042
value:
  description: The key's value, cut to 200 characters; none without a key, or for another type.
  returned: when the server could be read
  type: str
  sample: 'true'
type:
  description: C(none), C(string) or C(other).
  returned: when the server could be read
  type: str
ttl_seconds:
  description: Seconds until it ends by itself, that is until RV(value) expires; none without expiry.
  returned: when the server could be read
  type: int
owner_ttl_seconds:
  description: The same for the key of RV(owner). It differs only if one of the two was changed by hand.
  returned: when the server could be read
  type: int
renewed:
  description: Whether only the time that is left was set again.
  returned: when the server could be read
  type: bool
prolonged:
  description:
    - Whether it belongs to another owner, and got more time because O(owner) needs it for longer.
      C(previous.ttl_seconds) was left before, RV(ttl_seconds) is left now. Value and owner are unchanged.
  returned: when the server could be read
  type: bool
taken_over:
  description: Whether it belonged to another owner, or to nobody, before.
  returned: when the server could be read
  type: bool
previous:
  description: What was there before, as C(type), C(value), C(owner) and C(ttl_seconds); none if nothing was.
  returned: when the server could be read
  type: dict
  sample: {"type": "string", "value": "true", "owner": null, "ttl_seconds": 3412}
set_aside:
  description:
    - The new name of a key that RV(previous) cannot show whole. An owner's key that cannot be shown gets the same name
      with C(:owner) appended.
  returned: when the server could be read
  type: str
server:
  description: Which Redis this was. Fields that it did not report are none or C(unknown) (the user may lack C(+info)).
  returned: when the server could be read
  type: dict
  contains:
    address:
      description: Host and port, or path of the socket.
      type: str
    sentinel:
      description: The first of the Sentinels that named it.
      type: str
    version:
      description: Version of Redis (for Valkey, the version that it is compatible with).
      type: str
    role:
      description: C(master), C(replica) or C(unknown).
      type: str
    writable:
      description: Whether what is written here counts, that is whether it is a master.
      type: bool
    cluster:
      description: C(master_replid), which is the same for a master and its replicas.
      type: str
    run_id:
      description: Id that changes with each start.
      type: str
    replicas:
      description: Number of connected replicas.
      type: int
    maxmemory:
      description: Bytes; 0 without limit.
      type: int
    maxmemory_policy:
      description: What is evicted at that limit.
      type: str
    persistence:
      description:
        - C(aof), C(rdb) (a crash loses what was set since the last snapshot), C(none) or C(unknown).
        - Save points are not in C(INFO), so without AOF it is C(unknown) if C(CONFIG GET) is forbidden.
      type: str
skipped:
  description: Whether this was a replica that was left alone.
  returned: when the server could be read
  type: bool
skipped_reason:
  description: Why it was skipped.
  returned: when RV(skipped=true)
  type: str
replicas_acked:
  description:
    - How many replicas have the change, waiting at most 200 ms for the first. None if nothing was written, there are no
      replicas, or it is not known.
  returned: when the server could be read
  type: int
elapsed_ms:
  description: Milliseconds for all of it.
  returned: when a server was tried
  type: int
tries:
  description: How often it was tried.
  returned: when no server could be used
  type: int
uncertain:
  description: Whether a change was sent and not answered, so that it may have been made.
  returned: when no server could be used
  type: bool
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines. About the block C(not_owner), C(other_value), C(wrong_type),
          C(not_as_asked), C(contended).
        - About the server C(unreachable), C(tls_failed), C(not_redis), C(wrong_password), C(login_refused),
          C(missing_privilege), C(unknown_command), C(no_database), C(read_only_server), C(too_few_replicas),
          C(out_of_memory), C(disk_refused), C(loading), C(busy), C(master_down), C(too_many_connections),
          C(cluster_redirect), C(unknown_master), C(server_error).
        - About the options C(bad_option), C(bad_text), C(bad_sentinel).
      type: str
    what:
      description: What is wrong.
      type: str
    why:
      description: Why it matters now.
      type: str
    todo:
      description: What to do next.
      type: str
    page:
      description: The address of the section of the documentation that says more about C(code).
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

# pylint: disable-next=unused-import
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _compileonce  # noqa: F401
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import wish_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockentry import change_block
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
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ttl": {"type": "int", "default": 0},
            "owner": {"type": "str", "required": True},
            "force": {"type": "bool", "default": False},
            "on_replica": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "deadline": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        wish = wish_from(params, present=params["state"] == "present")
        return change_block(redis_login_from(params), wish, params["deadline"], params["on_replica"], module.check_mode)

    run(module, work, REDIS)


if __name__ == "__main__":
    main()
