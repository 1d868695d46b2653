#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Tell the newest usable backup, its age, and whether one precedes a moment
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Looks at several sources of backups. Reports the newest usable backup, how old its data is, the newest usable backup
    that had ended before O(before), and whether a point in time just before that can be reached.
  - Sources are dumps of M(chatia.kanban_rollback.pg_dump), files of C(pg_dump), and the catalogues of pgBackRest,
    Barman and WAL-G. RV(sources) names a source that gives no answer, and says what to do; such a source hides none of
    the others and never counts as a backup.
  - A dump is usable if it is whole, of O(of_database), and has rows of all O(tables). A physical backup is usable if
    its tool calls it whole, with the log that it needs, and it is of the server's own cluster.
  - Also reports whether the server archives its log, which decides what a physical backup is worth.
  - Changes nothing.
options:
  sources:
    description: Any number of places where backups are.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description:
          - V(dumps) are dumps of M(chatia.kanban_rollback.pg_dump), below O(sources[].path) or at that path itself.
            Their manifest and the cluster that it names are checked.
          - V(pg_dump) is what C(pg_dump) wrote in any format, including plain scripts packed by gzip and those of
            C(pg_dumpall).
          - V(pgbackrest) is the stanza O(sources[].stanza), read by C(pgbackrest info).
          - V(barman) is the server O(sources[].server), read by C(barman list-backups) and C(barman show-backup).
          - V(wal_g) is read by C(wal-g backup-list) and C(wal-g wal-show).
        type: str
        choices: [dumps, pg_dump, pgbackrest, barman, wal_g]
        required: true
      name:
        description: Name of the source in results. Left out, it is the source's kind and place.
        type: str
      path:
        description:
          - For V(dumps) and V(pg_dump), a directory or one backup; for V(pg_dump) also a pattern such as
            V(/backups/*.dump). Directories below a directory are not searched; one with a C(toc.dat) is one backup.
        type: path
      database:
        description:
          - For V(pg_dump), the database of plain scripts, because they do not name it. A script that does not name its
            database is not usable if O(of_database) is given and this option is not.
        type: str
      stanza:
        description: For V(pgbackrest), the stanza.
        type: str
      repo:
        description: For V(pgbackrest), the number of the only repository to look at. Left out, all are looked at.
        type: int
      server:
        description: For V(barman), the server as Barman calls it.
        type: str
      program:
        description: The tool's program, by name or full path. Left out, it is C(pgbackrest), C(barman) or C(wal-g).
        type: path
      config:
        description: The tool's configuration file, if it is not the tool's default.
        type: path
      env_dir:
        description:
          - A directory in which each file is an environment variable for the tool, as C(envdir) reads them. WAL-G is
            often set up like this. Apart from these and from variables that begin with the tools' own prefixes,
            C(AWS_), C(AZURE_), C(GOOGLE_), C(GCS_), C(SSH_AUTH_) or C(PG), tools get only PATH, HOME, USER, TZ and
            LC_ALL.
        type: path
      user:
        description:
          - The account to run the tool as, if the module runs as root. Left out, the tool runs as the module's own
            account. The module always reads files as its own account.
        type: str
  before:
    description:
      - A moment in ISO 8601 with a zone, for instance when the damage began. RV(before) is then the newest usable
        backup that had ended before it, and RV(point_in_time) says whether the log reaches it.
    type: str
  max_age:
    description:
      - Maximum age of the data in seconds, for RV(recent) and RV(recent_with_log). Left out, these are not judged.
    type: float
  of_database:
    description: Dumps count only if they are of this database. Left out, any database will do.
    type: str
  tables:
    description:
      - Dumps count only if they have rows of these tables, given as C(name) or C(schema.name). The exact name is looked
        for first, then the lower-case one. Files of C(pg_dump) name only partitions, not the table that these belong
        to.
    type: list
    elements: str
    default: []
  verify:
    description:
      - V(contents) reads whole dumps, newest first, up to the first that is usable. For V(dumps) it compares the
        checksums; for V(pg_dump) it unpacks all rows and discards them.
      - V(listing) reads what costs nothing, that is names and sizes, the table of contents, and the end. It does not
        see a byte that changed in the middle of the rows. Packed plain scripts are still read whole. For other plain
        scripts it is not known which tables they contain.
    type: str
    choices: [contents, listing]
    default: contents
  timeout:
    description:
      - Seconds for each source. A backup whose check has not ended by then does not count, and the source has an error.
    type: float
    default: 60
  ask_server:
    description:
      - Whether to ask the server, by the connection options, for its archiver, its cluster and when it wrote its log.
        Without that, RV(archiver) and how far the log reaches are not known, and backups of other clusters are not
        recognized. A server that does not answer is not a failure.
    type: bool
    default: true
  max_behind:
    description: How many full files of the log may wait to be archived before RV(archiver.healthy) is false.
    type: int
    default: 3
  limit:
    description: How many backups to list in RV(backups), newest first, at most 1000.
    type: int
    default: 20
  bin_dir:
    description:
      - Directory of C(pg_restore). Left out, the program is looked for as in M(chatia.kanban_rollback.pg_dump).
    type: path
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - Run it where the backups are, as a user that may read them.
  - The tests run pgBackRest 2.55 and Barman 3.13. They do not run WAL-G; the module understands what WAL-G documents.
  - That a backup is usable does not mean that it was ever restored. M(chatia.kanban_rollback.pg_dump) restores its own
    dumps with C(verify=restore); for others, only a rehearsal proves it.
  - The times of a backup are by the clock of the host that made it. The header of a C(pg_dump) archive names no zone,
    so this host's zone is assumed; if that gives a time after the file was last written, the file's time counts
    instead.
  - How far the log reaches is taken from the time at which the server wrote the last log file that the archive has. The
    role must be a member of C(pg_monitor) for that. pgBackRest and Barman are not asked for gaps in between.
  - psycopg2 is needed only for O(ask_server).
requirements:
  - pg_restore, not older than what wrote the archives, for archives of C(pg_dump)
seealso:
  - module: chatia.kanban_rollback.pg_dump
  - module: chatia.kanban_rollback.recovery_point_info
"""

EXAMPLES = r"""
- name: Find the newest backup, and whether it is younger than an hour
  chatia.kanban_rollback.backup_info:
    login_db: chatia_db
    sources:
      - kind: dumps
        path: /var/lib/kanban_rollback/dumps
      - kind: pgbackrest
        stanza: main
    of_database: chatia_db
    tables: [Companies, Tags, Tickets, TicketTags]
    max_age: 3600
  register: backup
  become: true
  become_user: postgres

- name: Refuse to go on without one
  ansible.builtin.assert:
    that: backup.recent
    fail_msg: "{{ backup.newest_why or 'the newest is ' ~ backup.newest.age_seconds ~ ' s old' }}"

- name: Find a backup to bring back the data as it was before the roll-out
  chatia.kanban_rollback.backup_info:
    login_db: chatia_db
    before: "2026-11-25T03:14:07Z"
    sources:
      - kind: pg_dump
        path: /backups/chatia_*.sql.gz
        database: chatia_db
      - kind: barman
        server: chatia
        user: barman
      - kind: wal_g
        env_dir: /etc/wal-g.d/env
        user: postgres
  become: true
"""

RETURN = r"""
newest:
  description: The newest usable backup; null if there is none.
  returned: success
  type: dict
  contains:
    kind:
      description: Kind of its source.
      type: str
    source:
      description: Number of its source in O(sources), from 0.
      type: int
    label:
      description: What its tool calls it, or its file name.
      type: str
    path:
      description: Where it is, for dumps; otherwise null.
      type: str
    physical:
      description: Whether it is of the whole cluster and can be continued with the log.
      type: bool
    started:
      description: When it was begun, in UTC; null if that is not known.
      type: str
    ended:
      description: When it was complete, in UTC; for V(pg_dump), when its files were last written.
      type: str
    as_of:
      description:
        - The moment whose data it has without any log, in UTC. For a dump, that is its snapshot, which is older than
          its end; for a physical backup, its end.
      type: str
    time_by:
      description:
        - How RV(newest.as_of) is known; V(snapshot), V(header), V(catalog), or V(mtime), which is later than the
          snapshot by as long as the dump took.
      type: str
    age_seconds:
      description: Seconds since RV(newest.as_of).
      type: int
    database:
      description: The database that it is of; null if it is of all databases or does not say.
      type: str
    tables:
      description: The tables whose rows are in it, up to 500; null if it is of all tables, or was not read for them.
      type: list
      elements: str
    size_bytes:
      description: Its size; for V(pgbackrest) and V(barman), the size of the cluster.
      type: int
    cluster:
      description: System identifier of the cluster that it is of; null if it does not say.
      type: str
    verified:
      description:
        - How it is known to be whole; V(manifest) or V(contents) by reading all of it, V(sizes), V(toc) or V(ends) by
          its listing, V(catalog) because its tool says so.
      type: str
    usable:
      description: Whether it is usable; null if it was not checked because a newer one serves.
      type: bool
    why_not:
      description: Why it is not usable.
      type: str
    reach:
      description:
        - The moments that can be brought back, C(earliest) and C(latest), in UTC, and C(age_seconds) of the latter.
          They are the same if there is no log or it is not known how far it goes; C(latest_by) is then
          RV(newest.time_by). C(latest_by) is C(segment) if the server told when it wrote the last log file in the
          archive, and C(archiver) if that file is gone and the server told when it was archived.
      type: dict
    reach_unknown:
      description: Why it is not known how far the log goes.
      returned: if it is not known
      type: str
    type:
      description: What the tool calls its type, for instance V(full) or V(incr).
      returned: for physical ones
      type: str
    format:
      description: V(custom), V(directory), V(tar) or V(plain).
      returned: for V(pg_dump), if it was read
      type: str
    incident_id:
      description: The incident that it belongs to.
      returned: for V(dumps)
      type: str
  sample:
    kind: pgbackrest
    label: 20261125-020000F
    ended: "2026-11-25T02:04:11Z"
    age_seconds: 4196
newest_why:
  description: Why there is none, with the newest unusable backup and the sources without an answer; otherwise empty.
  returned: success
  type: str
recent:
  description:
    - Whether RV(newest), without its log, has data that is not older than O(max_age). Null without O(max_age); false if
      there is no such backup, or its time is in the future.
  returned: success
  type: bool
furthest:
  description:
    - The usable backup that, with its log, brings back the latest moment, in the form of RV(newest); null if there is
      none. With archiving, that is an old backup with a log up to a minute ago.
  returned: success
  type: dict
recent_with_log:
  description:
    - Whether the latest moment of RV(furthest) is not older than O(max_age). Null without O(max_age); false if there is
      none.
  returned: success
  type: bool
before:
  description:
    - The newest usable backup that had ended before O(before), in the form of RV(newest); null if there is none.
  returned: success
  type: dict
before_why:
  description: Why there is none; otherwise empty.
  returned: success
  type: str
lost_seconds:
  description: How many seconds of data before O(before) would be lost if RV(before) came back with its log.
  returned: success
  type: int
point_in_time:
  description: Whether the data can be brought back as it was just before O(before); null without O(before).
  returned: success
  type: dict
  contains:
    possible:
      description: V(true), V(false), or null if it is not known how far the log goes.
      type: bool
    why_not:
      description: Why not, or why it is not known, and what to do.
      type: str
    kind:
      description: Kind of the backup to begin with.
      type: str
    source:
      description: Number of its source.
      type: int
    label:
      description: Its label.
      type: str
backups:
  description: Backups of all sources, newest first, up to O(limit), each in the form of RV(newest).
  returned: success
  type: list
  elements: dict
backups_count:
  description: How many there are.
  returned: success
  type: int
sources:
  description: What each of O(sources) has, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Its kind.
      type: str
    name:
      description: Its name.
      type: str
    path:
      description: As given, like C(stanza), C(server) and C(repo).
      type: str
    found:
      description: How many backups it has, usable or not.
      type: int
    newest:
      description: Label of its newest usable backup; null if there is none.
      type: str
    newest_as_of:
      description: The moment whose data is in that backup, in UTC.
      type: str
    refused:
      description: Up to 20 of its backups that are not usable, newest first, each with C(label) and C(why_not).
      type: list
      elements: dict
    warnings:
      description: Anything unusual, for instance a backup that is still running.
      type: list
      elements: str
    error:
      description: Why it gave no complete answer, with C(code), C(what), C(why), C(todo) and C(page); otherwise null.
      type: dict
    elapsed_ms:
      description: Milliseconds that it took.
      type: int
complete:
  description: Whether every source gave a complete answer.
  returned: success
  type: bool
archiver:
  description: Whether the server archives its log.
  returned: success
  type: dict
  contains:
    asked:
      description: Whether the server was asked.
      type: bool
    healthy:
      description:
        - V(false) if the last attempt failed, more than O(max_behind) files wait, or nothing is archived or streamed.
          Null if it cannot be determined, as on a replica, or if the log is streamed instead of archived.
      type: bool
    why:
      description: Why it is not healthy, or not known.
      type: str
    archive_mode:
      description: The setting.
      type: str
    archived_count:
      description: How many files were archived since C(stats_reset).
      type: int
    last_archived_wal:
      description: The last file that was archived.
      type: str
    last_archived_time:
      description: When, in UTC.
      type: str
    last_archived_age_seconds:
      description: Seconds since then, by the server's clock. An idle server archives nothing.
      type: int
    failed_count:
      description: How many attempts failed since C(stats_reset).
      type: int
    last_failed_wal:
      description: The last file that could not be archived.
      type: str
    last_failed_time:
      description: When, in UTC.
      type: str
    stats_reset:
      description: When counting began, in UTC.
      type: str
    behind_segments:
      description: How many full files of the log wait to be archived.
      type: int
    unarchived_bytes:
      description: How many bytes of the log are not archived yet and would be lost with the server.
      type: int
    receivers:
      description: Clients that stream the log to keep it, each with C(application_name), C(state) and C(behind_bytes).
      type: list
      elements: dict
    error:
      description: Why the server gave no answer, with C(code), C(what), C(why), C(todo) and C(page); otherwise null.
      type: dict
database:
  description: Which database was asked, by name, address, cluster, role and version; null if none was.
  returned: success
  type: dict
cluster:
  description: System identifier of the server's cluster, with which backups are compared; null if it is not known.
  returned: success
  type: str
sampled_at:
  description: The moment that ages are counted from, in UTC, by this host's clock.
  returned: success
  type: str
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong, why it matters and what to do, and the C(page) that says more. Only wrong options are a
      failure.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import login_from, postgres_spec
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupentry import Request, find_backups
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run

SOURCE = {
    "kind": {"type": "str", "choices": ["dumps", "pg_dump", "pgbackrest", "barman", "wal_g"], "required": True},
    "name": {"type": "str"},
    "path": {"type": "path"},
    "database": {"type": "str"},
    "stanza": {"type": "str"},
    "repo": {"type": "int"},
    "server": {"type": "str"},
    "program": {"type": "path"},
    "config": {"type": "path"},
    "env_dir": {"type": "path"},
    "user": {"type": "str"},
}
NEEDED = [
    ("kind", "dumps", ["path"]),
    ("kind", "pg_dump", ["path"]),
    ("kind", "pgbackrest", ["stanza"]),
    ("kind", "barman", ["server"]),
]
OPTIONS = {
    "sources": {"type": "list", "elements": "dict", "required": True, "options": SOURCE, "required_if": NEEDED},
    "before": {"type": "str"},
    "max_age": {"type": "float"},
    "of_database": {"type": "str"},
    "tables": {"type": "list", "elements": "str", "default": []},
    "verify": {"type": "str", "choices": ["contents", "listing"], "default": "contents"},
    "timeout": {"type": "float", "default": 60},
    "ask_server": {"type": "bool", "default": True},
    "max_behind": {"type": "int", "default": 3},
    "limit": {"type": "int", "default": 20},
    "bin_dir": {"type": "path"},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(argument_spec={**postgres_spec(), **OPTIONS}, supports_check_mode=True)
    params = module.params

    def work() -> Outcome:
        return find_backups(login_from(params), Request(**{name: params[name] for name in OPTIONS}))

    run(module, work)


if __name__ == "__main__":
    main()
