#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_dump
short_description: Make a consistent, proven dump of named tables
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Dumps the rows of O(tables), and the schema of the whole database with the types and functions that they need, with
    PostgreSQL's own C(pg_dump) in directory format. C(pg_restore -l) on O(dest) lists it.
  - A dump that is not proven is a failure. The rows are counted in the same snapshot that C(pg_dump) reads. The table
    of contents must hold the rows of exactly what was asked for, partitions included. C(manifest.json) beside the files
    has the size and SHA-256 of each of them, and a digest of itself.
  - Nothing appears under O(dest) before that. The dump is made under another name on the same disk and then renamed. If
    a run is killed, C(pg_dump) ends with it, and the next run removes what it left.
  - Directories have mode 0700, files 0600. The dump stays on the host that runs the module.
  - Large objects and subscriptions are left out. If the fence is up, its triggers are in the dump.
options:
  tables:
    description:
      - Tables whose rows to dump, as C(name) or C(schema.name). The exact name is looked for first, then the lower-case
        one. If a table is missing, nothing is dumped, and the error lists similar names.
      - Partitions and children of a table are included.
    type: list
    elements: str
    required: true
  dest:
    description:
      - The directory of the dump. It must not exist, or be empty, or hold a complete dump of the same O(incident_id),
        database and O(tables). Such a dump is checked against its manifest, file by file, and returned.
      - Parent directories are created (mode 0700). C(~) is expanded.
    type: path
    required: true
  jobs:
    description:
      - How many tables to dump at once. Each job is a session on the server, and there are three more sessions.
    type: int
    default: 2
  compress:
    description:
      - A method and optionally a level, for instance V(zstd:3), V(lz4), V(gzip:1) or V(none). V(auto) takes V(zstd:3)
        if this C(pg_dump) supports it (from version 16 on, depending on the build), otherwise V(gzip:1).
    type: str
    default: auto
  verify:
    description:
      - V(toc) compares the table of contents with what was asked for. V(restore) also restores the dump, without
        triggers, indexes and foreign keys, and counts again.
      - A dump that could not be restored is kept and fails the module; the same command again then only repeats the
        proof. A dump that was restored with different row counts is not kept.
    type: str
    choices: [toc, restore]
    default: toc
  verify_in:
    description:
      - Where to restore for O(verify=restore). V(instance) is a separate server beside O(dest), without TCP, which
        costs the application's server nothing. It needs C(initdb) among the client programs and a user other than root.
        V(database) is a scratch database on the application's server. It needs CREATEDB and a primary, and takes as
        much of the server's disk and log as the tables; with programs from version 17 on, the server must be 17 or
        newer, too. V(auto) takes the instance if one is possible.
      - Either is removed afterwards.
    type: str
    choices: [auto, instance, database]
    default: auto
  incident_id:
    description: The incident that the dump belongs to. It is written into the manifest.
    type: str
  environment:
    description: For instance V(production). It is written into the manifest.
    type: str
  deadline:
    description:
      - Seconds that the module may take, including O(verify) and waiting for another run with the same O(dest).
    type: float
    default: 1800
  lock_wait:
    description:
      - Seconds to wait for a lock on a table. After that, the module fails, and RV(blocked) names the session that has
        the lock.
    type: float
    default: 10
  min_free:
    description:
      - What must stay free on the disk of O(dest), in bytes or like V(1G). It is checked before and continuously while
        the dump is written, because the database may be on the same disk.
    type: bytes
    default: 1G
  free_space_factor:
    description:
      - The space that the dump is expected to need, as a share of the tables' heap and TOAST. V(restore) in an instance
        needs their full size in addition.
    type: float
    default: 0.5
  bin_dir:
    description:
      - Directory of C(pg_dump) and C(pg_restore). Left out, they are looked for on PATH, in
        C(/usr/lib/postgresql/*/bin) and in C(/usr/pgsql-*/bin); those of the server's own major version are taken,
        otherwise the newest. They must not be older than the server.
    type: path
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: >-
      Checks names, privileges, the client programs, what is at O(dest) and the space on its disk, and fails if the dump
      would fail. It writes nothing and takes no snapshot.
  diff_mode:
    support: full
    description: Shows the tables that are dumped with their sizes, not their rows.
notes:
  - The role needs SELECT on every table and sequence of the schema, not only on O(tables), because C(pg_dump) locks
    everything whose schema it dumps. From PostgreSQL 14 on, C(pg_read_all_data) is enough.
  - A dump that already exists at O(dest) is checked and returned even to a role that can no longer read any of the
    tables.
  - A pooler is refused, because a snapshot lives only as long as its session. A replica is fine.
requirements:
  - pg_dump and pg_restore, not older than the server, on the host that runs the module
seealso:
  - module: chatia.kanban_rollback.feature_flag
"""

EXAMPLES = r"""
- name: Dump the tables of the Kanban before anything is repaired
  chatia.kanban_rollback.pg_dump:
    login_db: chatia_db
    tables: [Companies, Tags, Tickets, TicketTags, Lanes]
    dest: /var/lib/kanban_rollback/dumps/INC-20261125-042
    incident_id: INC-20261125-042

- name: The same, proven by restoring it
  chatia.kanban_rollback.pg_dump:
    login_db: chatia_db
    tables: [Companies, Tags, Tickets, TicketTags, Lanes]
    dest: /var/lib/kanban_rollback/dumps/INC-20261125-042
    incident_id: INC-20261125-042
    verify: restore
  become: true
  become_user: postgres
"""

RETURN = r"""
dest:
  description: The directory of the dump, links followed.
  returned: success
  type: str
  sample: /var/lib/kanban_rollback/dumps/INC-20261125-042
tables:
  description: What was dumped, with a row for each table that was asked for.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Schema and name.
      type: str
    schema:
      description: The schema alone.
      type: str
    table:
      description: The name alone.
      type: str
    rows:
      description: Rows in the snapshot, those of partitions included; null in check mode.
      type: int
    bytes:
      description: Size of heap and TOAST.
      type: int
    relations:
      description:
        - The relations that hold the rows (the table itself, or its leaves), each with C(name), C(schema), C(table) and
          the C(file) of the archive, null in check mode.
      type: list
      elements: dict
rows:
  description: Rows of all tables together; null in check mode.
  returned: success
  type: int
  sample: 6000000
bytes:
  description: Bytes of the dump on disk; null in check mode.
  returned: success
  type: int
snapshot:
  description: The snapshot that was dumped and counted; null in check mode.
  returned: success
  type: dict
  contains:
    id:
      description: The name that it was exported under.
      type: str
    lsn:
      description: Position in the log, read inside the snapshot (on a replica, the position that it had replayed).
      type: str
    time:
      description: When, in UTC.
      type: str
server_version:
  description: The server's version.
  returned: success
  type: str
client_version:
  description: Version of the C(pg_dump) that made the dump.
  returned: success
  type: str
compress:
  description: How it is compressed.
  returned: success
  type: str
  sample: zstd:3
jobs:
  description: How many jobs made it.
  returned: success
  type: int
verified:
  description: How it was proven, C(toc) or C(restore); null in check mode.
  returned: success
  type: str
toc_entries:
  description: Entries of the table of contents; null in check mode.
  returned: success
  type: int
incident_id:
  description: The incident that the dump belongs to; null in check mode.
  returned: success
  type: str
started_at:
  description: When the dump began, in UTC; null in check mode.
  returned: success
  type: str
ended_at:
  description: When the dump was complete, in UTC; null in check mode.
  returned: success
  type: str
needed_bytes:
  description: The space that the dump may need; null when not in check mode.
  returned: success
  type: int
previous:
  description:
    - The newest proven dump of the same database beside this one that has all its tables; null if there is none. Its
      files were checked by name and size.
  returned: success
  type: dict
  contains:
    path:
      description: Its directory.
      type: str
    incident_id:
      description: The incident that it belongs to.
      type: str
    ended_at:
      description: When it was complete, in UTC.
      type: str
    age_seconds:
      description: Seconds since then.
      type: int
    bytes:
      description: Its size on disk.
      type: int
free_bytes_after:
  description: Bytes that an ordinary user may still write on the disk of O(dest); null if that cannot be read.
  returned: success
  type: int
database:
  description: Which database this was, by name, address, cluster, role and version.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
blocked:
  description: Sessions that blocked a lock that could not be taken, each with C(pid) and the line that ends it.
  returned: on failure with the code C(lock_timeout)
  type: list
  elements: dict
stderr:
  description:
    - The last output of C(pg_dump) or C(pg_restore) on standard error, up to 2000 characters. Lines in which the server
      quotes rows are left out.
  returned: when one of them failed
  type: str
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: >-
        A short, stable word for machines, for instance C(missing_table), C(missing_privilege), C(client_too_old),
        C(no_pg_dump), C(through_pooler), C(disk_space), C(disk_full), C(lock_timeout), C(dest_exists),
        C(checksum_mismatch), C(toc_mismatch), C(verify_failed), C(deadline), C(killed).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpentry import make_dump
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpmake import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run


def main() -> None:
    """Read the options, do the work and exit."""
    own = {
        "tables": {"type": "list", "elements": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "jobs": {"type": "int", "default": 2},
        "compress": {"type": "str", "default": "auto"},
        "verify": {"type": "str", "choices": ["toc", "restore"], "default": "toc"},
        "verify_in": {"type": "str", "choices": ["auto", "instance", "database"], "default": "auto"},
        "incident_id": {"type": "str"},
        "environment": {"type": "str"},
        "deadline": {"type": "float", "default": 1800},
        "lock_wait": {"type": "float", "default": 10},
        "min_free": {"type": "bytes", "default": "1G"},
        "free_space_factor": {"type": "float", "default": 0.5},
        "bin_dir": {"type": "path"},
    }
    module = AnsibleModule(argument_spec={**postgres_spec(), **own}, supports_check_mode=True)
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        check_seconds("lock_wait", params["lock_wait"], 0.1)
        request = Request(**{name: params[name] for name in own})
        return make_dump(login_from(params), request, module.check_mode)

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
