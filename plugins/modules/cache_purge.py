#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_purge
short_description: Remove an application's cached keys from Redis, but never protected ones
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Goes over the keys of one database with C(SCAN), and removes with C(UNLINK) those that match O(patterns) and none of
    O(protected). Each key is checked before it is removed, so patterns may overlap.
  - C(FLUSHDB) would also remove sessions, queues and the write block, which exist nowhere else. Only O(flush) together
    with O(force) uses it.
  - The work is sent to Redis in small pieces. If a piece takes long, the next ones are smaller, and Redis is left to
    other clients for a moment.
  - A key that is written during the purge may be left or removed; a matching key that existed before is removed.
options:
  patterns:
    description:
      - Which keys to remove, as patterns of Redis (C(*), C(?), C([a-z]), C([^a-z]), a backslash before a literal
        character). V(*) means all keys that are not protected. With an empty list there is nothing to do.
      - A pattern that is empty, longer than 1000 bytes, or has a range from ASCII to another byte is refused. At most
        200 are taken.
    type: list
    elements: str
    default: []
  protected:
    description:
      - Which keys to keep, as patterns of Redis, whatever O(patterns) says.
    type: list
    elements: str
    default: []
  write_block_key:
    description:
      - The key of M(chatia.kanban_rollback.write_block). This key, the key of its owner, and what was set aside for it
        are protected as well. Without this option there is a warning.
    type: str
  flush:
    description:
      - Empty the database instead of going by O(patterns). This is refused while any protected key exists.
        RV(would_lose) lists what exists, also in check mode.
      - Keys are removed one by one here as well, so a protected key that is created meanwhile is kept.
    type: bool
    default: false
  force:
    description:
      - With O(flush), empty the database by C(FLUSHDB ASYNC), including protected keys and the write block. This is an
        override to be given with a reason. Without O(flush) it has no effect.
    type: bool
    default: false
  batch:
    description: Maximum number of keys that Redis goes over, or removes, in one command; from 1 to 10000.
    type: int
    default: 1000
  max_block_ms:
    description:
      - Milliseconds that Redis may spend on one exchange, by its own clock. After an exchange that took longer, the
        module asks for half as many keys, and leaves Redis to others for as long as that took, at most 100
        milliseconds.
    type: float
    default: 20
  on_replica:
    description:
      - Whether to V(fail) on a replica, or to V(skip) it with a result that says so. Not used with O(sentinels).
    type: str
    choices: [fail, skip]
    default: fail
  deadline:
    description:
      - Seconds after which everything ends, retries included. If the purge is not complete by then, the module fails
        with full figures; the same task again goes on with what is left.
      - The module gives up earlier on a Redis that it has tried in vain for 15 seconds.
    type: float
    default: 60
extends_documentation_fragment:
  - chatia.kanban_rollback.redis
attributes:
  check_mode:
    support: full
    description: Changes nothing, and counts what would be removed.
  diff_mode:
    support: full
    description: Shows how many keys of each pattern there are before and after.
notes:
  - The user needs C(+scan), C(+unlink), the keys to remove (C(~<pattern>)) and, to force a flush, C(+flushdb).
    C(+role), C(+info), C(+dbsize), C(+type) and C(+wait) are only for the figures and warnings. C(+time) is for the
    pace; without it, time that Redis spends on others counts too.
  - In a Redis Cluster each node has its own keys. Act on every master.
  - Keys in results are truncated, and any part that may be a token is truncated to its first four characters.
seealso:
  - module: chatia.kanban_rollback.write_block
"""

EXAMPLES = r"""
- name: Remove what is cached, and keep queues, sessions and the write block
  chatia.kanban_rollback.cache_purge:
    patterns: ["cache:*", "kanban:*"]
    protected: ["bull:*", "sessions:*"]
    write_block_key: kanban:emergency:write-block

- name: See what emptying the database would lose
  chatia.kanban_rollback.cache_purge:
    flush: true
    protected: ["bull:*", "sessions:*"]
    write_block_key: kanban:emergency:write-block
  check_mode: true
  register: flush
  failed_when: flush.would_lose is not defined
"""

RETURN = r"""
changed:
  description: Whether a key was removed, or may have been (see RV(unanswered)).
  returned: always
  type: bool
complete:
  description: Whether the module went over all keys. If it is V(false), the module fails.
  returned: unless an option is refused
  type: bool
flushed:
  description: Whether C(FLUSHDB) was used.
  returned: unless an option is refused
  type: bool
total:
  description: Keys of any kind in the database before; null if the user may not ask.
  returned: unless an option is refused
  type: int
scanned:
  description:
    - Keys that the module looked at. If one pattern can be left to Redis, Redis sends only the keys that match.
  returned: unless an option is refused
  type: int
matched:
  description: Different keys that match O(patterns), protected ones included.
  returned: unless an option is refused
  type: int
purged:
  description: Keys that Redis reported as removed; in check mode, keys that would be removed.
  returned: unless an option is refused
  type: int
protected_kept:
  description: Different keys that match O(patterns) and were kept because they are protected.
  returned: unless an option is refused
  type: int
already_gone:
  description: Removals that found no key, because it had expired, another client had removed it, or it was named twice.
  returned: unless an option is refused
  type: int
unanswered:
  description:
    - Removals that were sent over a connection that was then lost. Each may have been done without being counted.
  returned: unless an option is refused
  type: int
patterns:
  description: The figures for each of O(patterns). A key counts for the first pattern that it matches.
  returned: unless an option is refused
  type: list
  elements: dict
  contains:
    pattern:
      description: The pattern.
      type: str
    matched:
      description: Different keys, protected ones included.
      type: int
    purged:
      description: Keys that Redis reported as removed; in check mode, keys that would be removed.
      type: int
    protected:
      description: Different keys that were kept.
      type: int
    samples:
      description: Up to 5 keys that were removed, or would be.
      type: list
      elements: str
  sample: [{"pattern": "cache:*", "matched": 500012, "purged": 500000, "protected": 12, "samples": ["cache:board:7"]}]
protected:
  description: Each protected pattern that kept a key, with its C(count) of keys and up to 5 C(samples).
  returned: unless an option is refused
  type: list
  elements: dict
  sample: [{"pattern": "bull:*", "count": 12, "samples": ["bull:inbound:id"]}]
samples:
  description: Up to 10 keys that were removed, or would be.
  returned: unless an option is refused
  type: list
  elements: str
would_lose:
  description: What O(flush) would lose; null without O(flush).
  returned: unless an option is refused
  type: dict
  contains:
    count:
      description: All keys.
      type: int
    protected:
      description: Those that are protected.
      type: int
    write_block:
      description: Whether a key of the write block is among them.
      type: bool
    patterns:
      description: As RV(protected).
      type: list
      elements: dict
    prefixes:
      description:
        - The 20 most frequent prefixes of keys, as C(prefix) and C(count); C(prefix) is null for all others.
      type: list
      elements: dict
    types:
      description: How many of at most 1000 keys have which type; null if the user may not ask.
      type: dict
  sample:
    count: 1204
    protected: 1200
    write_block: true
    patterns: [{"pattern": "bull:*", "count": 1198, "samples": ["bull:inbound:id"]}]
    prefixes: [{"prefix": "bull:", "count": 1198}, {"prefix": "cache:", "count": 4}]
    types: {"string": 702, "hash": 298}
server:
  description:
    - Which Redis this was, with the fields that M(chatia.kanban_rollback.write_block) returns; null if none answered.
  returned: unless an option is refused
  type: dict
skipped:
  description: Whether the module skipped this server because it is a replica.
  returned: unless an option is refused
  type: bool
skipped_reason:
  description: Why.
  returned: when RV(skipped=true)
  type: str
replicas_acked:
  description:
    - How many replicas have the removals, after waiting at most 200 ms for the first. Null if nothing was removed,
      there are no replicas, or it is not known.
  returned: unless an option is refused
  type: int
elapsed_ms:
  description: Milliseconds that the module took.
  returned: unless an option is refused
  type: int
longest_ms:
  description:
    - Milliseconds that Redis spent on the longest exchange, by its own clock. If the user may not ask for that, or
      Redis did not answer, the time is measured here and includes waiting for others.
  returned: unless an option is refused
  type: float
tries:
  description: How many times a connection was tried.
  returned: when the server refused, or could not be reached
  type: int
msg:
  description: Says that there was nothing to do.
  returned: when O(patterns) is empty
  type: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines. Of the purge C(protected_keys), C(not_complete); of the options
          C(bad_option), C(bad_pattern), C(bad_text), C(bad_sentinel); of the server those of
          M(chatia.kanban_rollback.write_block).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeentry import purge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._purgeplan import wish_from
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
            "patterns": {"type": "list", "elements": "str", "default": []},
            "protected": {"type": "list", "elements": "str", "default": []},
            "write_block_key": {"type": "str", "no_log": False},
            "flush": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "batch": {"type": "int", "default": 1000},
            "max_block_ms": {"type": "float", "default": 20},
            "on_replica": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "deadline": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        wish = wish_from(params)
        return purge(redis_login_from(params), wish, params["deadline"], params["on_replica"], module.check_mode)

    run(module, work, REDIS)


if __name__ == "__main__":
    main()
