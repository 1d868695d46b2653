#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
short_description: Check whether a database has what a rollback will need, and forecast the kill
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Checks, ahead of an incident, everything that the scenarios will need of a database and its host. The server plans
    each statement (C(EXPLAIN)) with a condition that no row meets and a C(lock_timeout) of 200 ms. This checks names,
    types and this role's privileges as the statement itself would. No statement is run, so no trigger of the
    application fires; a rehearsal shows whether its triggers let a statement pass.
  - Changes nothing, because every transaction is C(READ ONLY). It takes no lock that an application could notice, so it
    can run on a daily schedule.
  - Returns C(break-glass.sql) for this flag, a script for C(psql) alone, for the day that Ansible itself is broken. It
    keeps the prior values, switches off what M(chatia.kanban_rollback.feature_flag) would, and undoes that exactly. It
    contains first. It switches off the tenants whose rows are not locked, shows the line for the write block, and
    raises the fence. Only then does it wait for locked rows.
  - If something is missing, a check says so, and the module does not fail. It fails only if the database cannot be
    queried at all.
  - On a replica only the connection and the client programs are checked.
options:
  environment:
    description: Name of the environment. If the ledger is marked with another one, a check is not met.
    type: str
  global_default:
    description: Whether the row without a tenant of a key/value store is switched as well, also by the script.
    type: bool
    default: true
  deadline:
    description: Seconds that the kill has. A forecast above this is reported.
    type: float
    default: 20
  on_blocked:
    description: What is done about sessions that hold rows; V(terminate) needs membership in C(pg_signal_backend).
    type: str
    choices: [report, terminate]
    default: report
  dump_tables:
    description: Tables that a dump takes, as C(name) or C(schema.name).
    type: list
    elements: str
    default: []
  dump_dir:
    description: Directory on the host under which dumps are made. It need not exist yet.
    type: path
  bin_dir:
    description: The only directory to look for C(pg_dump) in. By default C(PATH) and where packages keep it.
    type: path
  dump_compress:
    description: The option O(chatia.kanban_rollback.pg_dump#module:compress) of the dump.
    type: str
    default: auto
  dump_verify:
    description:
      - How the dump is to be proven, as O(chatia.kanban_rollback.pg_dump#module:verify); V(restore) needs a place to
        restore into.
    type: str
    choices: [toc, restore]
    default: toc
  disk_spare:
    description:
      - How many times the size of O(dump_tables) on disk must be free for O(dump_dir). It is never less than
        M(chatia.kanban_rollback.pg_dump) itself asks for.
    type: float
    default: 1.2
  backup_max_age:
    description:
      - Seconds within which there must be a proven dump of all O(dump_tables) under O(dump_dir), or an archived WAL
        file. V(0) skips this check, for backups that are proven elsewhere.
    type: float
    default: 86400
  fence_tables:
    description: The option O(chatia.kanban_rollback.write_fence#module:tables) of the fence.
    type: list
    elements: raw
    default: []
  write_block_key:
    description: The Redis key of the write block, for the lines about it in the script.
    type: str
  redis_hosts:
    description:
      - How Redis is reached from each of its hosts, for the same lines. These never contain a password; they say how to
        type it unseen.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The host on which the line is typed.
        type: str
      login_host:
        description: Host of Redis as seen from there.
        type: str
        default: localhost
      login_port:
        description: Port of Redis.
        type: int
        default: 6379
      login_db:
        description: Number of the database.
        type: int
        default: 0
      login_user:
        description: ACL user. If omitted, the default user.
        type: str
      login_unix_socket:
        description: Path of the local socket, instead of host and port.
        type: str
      tls:
        description: Whether TLS is used, to the Sentinels as well.
        type: bool
        default: false
      ca_certs:
        description: File with the certificate authorities on that host.
        type: str
      sentinels:
        description: Sentinels as C(host:port). If given, they are asked for the master.
        type: list
        elements: str
        default: []
      sentinel_name:
        description: Name of the master that the Sentinels watch.
        type: str
        default: mymaster
  ranking:
    description:
      - How tenants are ranked in an incident, by the options C(error_logs), C(companies), C(users), C(users_query),
        C(columns), C(window), C(more_than), C(top), C(contains), C(ignore_case) and C(naive_timezone) of
        M(chatia.kanban_rollback.affected_tenants_info). If omitted, the ranking is not checked; with an empty
        C(error_logs) the check says that there are none.
    type: dict
  integrity_checks:
    description: The option O(chatia.kanban_rollback.integrity_info#module:checks). If omitted, it is not checked.
    type: list
    elements: dict
  queries:
    description: Queries for figures that are needed in an incident, by name.
    type: dict
    default: {}
  application:
    description:
      - Whether there is an application tier. Without one, what O(ranking), O(integrity_checks) and O(queries) lack has
        the severity C(should), because the scenarios that need them are not used.
    type: bool
    default: true
  repairs:
    description:
      - What this role is to repair in an incident, as the option O(chatia.kanban_rollback.ledger#module:repairs). What
        it lacks for that has the severity C(should), with the lines that grant it, because the stop works without it.
        If omitted, it is not checked.
    type: list
    elements: dict
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.flag
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.feature_flag
  - module: chatia.kanban_rollback.feature_flag_info
"""

EXAMPLES = r"""
- name: Look ahead
  chatia.kanban_rollback.preflight_info:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    dump_tables: [Companies, Tags, TicketTags, Tickets]
    dump_dir: /var/backups/kanban_rollback
  register: ahead

- name: Say what is missing
  ansible.builtin.debug:
    msg: "{{ ahead.checks | selectattr('ok', 'eq', false) | map(attribute='what') | list }}"
"""

RETURN = r"""
ready:
  description: Whether no check of severity C(must) is known to be not met.
  returned: success
  type: bool
checks:
  description: What was looked at, in the order in which the scenarios need it.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - A short, stable word, C(server), C(flag), C(ledger), C(ledger_owner), C(kill), C(blockers), C(terminate),
          C(latch), C(ddl_guard), C(same_name), C(forecast), C(flag_default), C(settings), C(break_glass),
          C(dump_tables), C(snapshot), C(dump_schema), C(tools), C(dump_proof), C(disk), C(backup), C(orm_saves),
          C(fence_triggers), C(installed), C(latch_shut), C(search_path), C(errors), C(errors_index), C(errors_owners),
          C(integrity), C(integrity_applies) or, for each query, C(figures). A check that is impossible because another
          one is not met is left out.
      type: str
    ok:
      description: Whether it is met; null if that could not be determined.
      type: bool
    severity:
      description: C(must) or C(should).
      type: str
    what:
      description: What was found.
      type: str
    why:
      description: Why it matters; empty if it is met.
      type: str
    todo:
      description: What to do; empty if it is met.
      type: str
  sample:
    - name: tools
      ok: true
      severity: must
      what: pg_dump 17.12 in /usr/lib/postgresql/17/bin.
      why: ''
      todo: ''
forecast:
  description: What a kill would involve.
  returned: when the flag can be read, and not on a replica
  type: dict
  contains:
    tenants:
      description: Number of tenants that are meant.
      type: int
    'on':
      description: How many of them are on.
      type: int
    seconds:
      description:
        - An estimate. It is twice the time that counting took now plus 1 s for each 100,000 tenants that are on (50,000
          in a C(json) or text column). These rates were measured on two slow cores.
      type: float
    count_seconds:
      description: Seconds that counting took now.
      type: float
    locked_now:
      description:
        - Rows on which an open transaction has left its mark, as seen without taking a lock. Marks of foreign keys
          count too, although they do not hinder the kill; marks that several transactions share are not seen.
      type: int
    open_transactions:
      description: Other clients' open transactions, C(count) and C(oldest_seconds) (null without any).
      type: dict
    global_default:
      description:
        - What the row without a tenant of a key/value store is, C(on), C(off) or C(absent); null for other stores.
      type: str
    flag_values:
      description: The 20 most frequent values as text, with their number of tenants.
      type: list
      elements: dict
    unreadable:
      description: Up to 20 tenants whose settings are text that is not JSON.
      type: list
      elements: str
    unreadable_count:
      description: How many there are.
      type: int
clock:
  description: The server's time in UTC.
  returned: success
  type: str
  sample: '2026-11-25T03:00:00.000000Z'
tools:
  description: The newest C(pg_dump) on the host with C(directory), C(version), C(major); null if none is suitable.
  returned: success
  type: dict
disk:
  description: Where dumps go, C(path), C(free_bytes) (null where unknown), C(needed_bytes), and C(writable), whether
    a dump could be made there.
  returned: not on a replica
  type: dict
backup:
  description:
    - C(dump), the newest proven dump of all O(dump_tables) (C(path), C(incident_id), C(ended_at), C(age_seconds),
      C(bytes)) or null; C(archiver), the archiving of WAL (C(enabled), C(age_seconds), C(last_archived_time),
      C(failing), C(last_failed_wal)) or null.
  returned: not on a replica
  type: dict
orm_saves:
  description: Saves of whole rows that a fence on some columns would refuse.
  returned: not on a replica
  type: dict
  contains:
    available:
      description: Whether C(pg_stat_statements) could be read.
      type: bool
    reason:
      description: Why not.
      type: str
    statements:
      description: Up to 100, most frequent first, with C(table), C(calls) and C(query), cut to 200 characters.
      type: list
      elements: dict
    hidden:
      description: Statements whose text this role may not see.
      type: int
break_glass:
  description: The script. It contains no password and no moment in time.
  returned: when the flag can be read, and not on a replica
  type: str
database:
  description: Which database this was, by name, address, cluster, role and version; whether a pooler is in between.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    flag_from,
    flag_spec,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflight import Request, preflight


def main() -> None:
    """Read the options, do the work and exit."""
    redis = {
        "name": {"type": "str"},
        "login_host": {"type": "str", "default": "localhost"},
        "login_port": {"type": "int", "default": 6379},
        "login_db": {"type": "int", "default": 0},
        "login_user": {"type": "str"},
        "login_unix_socket": {"type": "str"},
        "tls": {"type": "bool", "default": False},
        "ca_certs": {"type": "str"},
        "sentinels": {"type": "list", "elements": "str", "default": []},
        "sentinel_name": {"type": "str", "default": "mymaster"},
    }
    own = {
        "environment": {"type": "str"},
        "global_default": {"type": "bool", "default": True},
        "deadline": {"type": "float", "default": 20},
        "on_blocked": {"type": "str", "choices": ["report", "terminate"], "default": "report"},
        "dump_tables": {"type": "list", "elements": "str", "default": []},
        "dump_dir": {"type": "path"},
        "bin_dir": {"type": "path"},
        "dump_compress": {"type": "str", "default": "auto"},
        "dump_verify": {"type": "str", "choices": ["toc", "restore"], "default": "toc"},
        "disk_spare": {"type": "float", "default": 1.2},
        "backup_max_age": {"type": "float", "default": 86400},
        "fence_tables": {"type": "list", "elements": "raw", "default": []},
        "write_block_key": {"type": "str", "no_log": False},
        "redis_hosts": {"type": "list", "elements": "dict", "default": [], "options": redis},
        "ranking": {"type": "dict"},
        "integrity_checks": {"type": "list", "elements": "dict"},
        "queries": {"type": "dict", "default": {}},
        "application": {"type": "bool", "default": True},
        "repairs": {"type": "list", "elements": "dict"},
    }
    module = AnsibleModule(argument_spec={**postgres_spec(), **flag_spec(), **own}, supports_check_mode=True)
    params = module.params

    def work() -> Outcome:
        asked = {name: params[name] for name in own}
        return preflight(login_from(params), Request(flag_from(params), tenants=params["tenants"], **asked)), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
