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
  - Looks at several sources of backups, and says which is the newest that is usable, how old its data is, which is the
    newest that had ended before O(before), and whether a point in time just before that can be reached.
  - Sources are dumps of M(chatia.kanban_rollback.pg_dump), files of C(pg_dump), and the catalogues of pgBackRest,
    Barman and WAL-G. One that gives no answer is named in RV(sources), with what to do; it hides none of the others
    and never counts as a backup.
  - Usable is a dump that is whole, of O(of_database) and with rows of all O(tables), or a physical backup that its tool
    calls whole, with the log that it needs, of the server's own cluster.
  - Also says whether the server archives its log, which decides what a physical backup is worth.
  - Changes nothing.
options:
  sources:
    description: Where backups are, in any number.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description:
          - V(dumps), dumps of M(chatia.kanban_rollback.pg_dump), below O(sources[].path) or that itself. Their manifest
            and the cluster that it names are checked.
          - V(pg_dump), what C(pg_dump) wrote in whatever format, plain scripts packed by gzip and those of
            C(pg_dumpall) among them.
          - V(pgbackrest), the stanza O(sources[].stanza), by C(pgbackrest info).
          - V(barman), the server O(sources[].server), by C(barman list-backups) and C(barman show-backup).
          - V(wal_g), by C(wal-g backup-list) and C(wal-g wal-show).
        type: str
        choices: [dumps, pg_dump, pgbackrest, barman, wal_g]
        required: true
      name:
        description: What to call it in results. Left out, it is called by its kind and place.
        type: str
      path:
        description:
          - Of V(dumps) and V(pg_dump), a directory, one backup, or with V(pg_dump) a pattern such as
            V(/backups/*.dump). Directories below a directory are not searched; one with a C(toc.dat) is one backup.
        type: path
      database:
        description:
          - Of V(pg_dump), the database that plain scripts are of, for they do not name it. One that does not name it is
            not usable where O(of_database) is given and this is not.
        type: str
      stanza:
        description: Of V(pgbackrest), the stanza.
        type: str
      repo:
        description: Of V(pgbackrest), the number of the one repository to look at. Left out, all are.
        type: int
      server:
        description: Of V(barman), the server as Barman calls it.
        type: str
      program:
        description: The tool's program, by name or whole path. Left out, it is C(pgbackrest), C(barman) or C(wal-g).
        type: path
      config:
        description: The tool's configuration file, where it is not the tool's default.
        type: path
      env_dir:
        description:
          - A directory whose files are variables for the tool by their names, as C(envdir) reads them and WAL-G is
            often set up. Besides these and variables that begin with the tools' own prefixes, C(AWS_), C(AZURE_),
            C(GOOGLE_), C(GCS_) or C(PG), tools get no environment but PATH, HOME, USER, TZ and LC_ALL.
        type: path
      user:
        description:
          - The account to run the tool as, where this runs as root. Left out, it is who this runs as. Files are read as
            who this runs as.
        type: str
  before:
    description:
      - A moment in ISO 8601 with a zone, for instance when the damage began. RV(before) is then the newest backup
        that had ended by then, and RV(point_in_time) says whether the log reaches it.
    type: str
  max_age:
    description: How many seconds old data may be for RV(recent) and RV(recent_with_log). Left out, that is not judged.
    type: float
  of_database:
    description: Dumps count only where they are of this database. Left out, any will do.
    type: str
  tables:
    description:
      - Dumps count only where they have rows of these tables, given as C(name) or C(schema.name). The exact name is
        looked for, then the lower-case one. Files of C(pg_dump) know partitions alone, not the table that they are
        of.
    type: list
    elements: str
    default: []
  verify:
    description:
      - V(contents) reads dumps whole, newest first, up to the first that is usable. Of V(dumps) the checksums are
        compared; of V(pg_dump) all rows are unpacked and thrown away.
      - V(listing) reads what costs nothing; names and sizes, the table of contents, and the end. A byte that changed
        in the midst of the rows is not seen. Packed plain scripts are read whole all the same. Of others it is not
        known which tables they hold.
    type: str
    choices: [contents, listing]
    default: contents
  timeout:
    description: Seconds for each source. What was not through by then is no backup, and the source has an error.
    type: float
    default: 60
  ask_server:
    description:
      - Whether the server is asked, by the connection options, for its archiver, its cluster and when it wrote its log.
        Without that RV(archiver) is not known, backups of other clusters are not told, and how far the log reaches
        neither. A server that does not answer is no failure.
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
    description: Directory of C(pg_restore). Left out, it is looked for as in M(chatia.kanban_rollback.pg_dump).
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
  - pgBackRest 2.55 and Barman 3.13 were run by the tests. WAL-G was not; what is understood is what it documents.
  - That a backup is usable does not mean that it was restored. M(chatia.kanban_rollback.pg_dump) restores its own with
    C(verify=restore); of others only a rehearsal tells.
  - The times of a backup are by the clock of the host that made it. The header of a C(pg_dump) archive names no zone
    and is taken for this host's; where that would be after the file was last written, the file's time counts instead.
  - How far the log reaches is told by when the server wrote the last file of it that the archive has, for which the
    role has to be a member of C(pg_monitor). pgBackRest and Barman are not asked for gaps in between.
  - psycopg2 is needed for O(ask_server) alone.
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

- name: Find what the data could be brought back from as it was before the roll-out
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
  description: The newest usable backup, or null.
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
      description: Whether it is of the whole cluster, and goes on with the log.
      type: bool
    started:
      description: When it was begun, in UTC; null where that is not known.
      type: str
    ended:
      description: When it was whole, in UTC; of V(pg_dump) when its files were last written.
      type: str
    as_of:
      description:
        - The moment whose data it holds without any log, in UTC. Of a dump that is its snapshot, which is older than
          its end; of a physical backup its end.
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
      description: The database that it is of; null where it is of all, or does not say.
      type: str
    tables:
      description: The tables whose rows are in it, up to 500; null where it is of all, or was not read for them.
      type: list
      elements: str
    size_bytes:
      description: Its size; of V(pgbackrest) and V(barman) that of the cluster.
      type: int
    cluster:
      description: System identifier of the cluster that it is of; null where it does not say.
      type: str
    verified:
      description:
        - How it is known to be whole; V(manifest) or V(contents) by reading all of it, V(sizes), V(toc) or V(ends) by
          its listing, V(catalog) by the word of its tool.
      type: str
    usable:
      description: Whether it is usable; null where it was not looked at, because a newer one serves.
      type: bool
    why_not:
      description: Why it is not usable.
      type: str
    reach:
      description:
        - The moments that can be brought back, C(earliest) and C(latest), in UTC, and C(age_seconds) of the latter.
          They are one where there is no log, or it is not known how far it goes; then C(latest_by) is
          RV(newest.time_by). It is C(segment) where the server told when it wrote the last file of the log in the
          archive, C(archiver) where that file is gone and it told when it was archived.
      type: dict
    reach_unknown:
      description: Why it is not known how far the log goes.
      returned: where that is so
      type: str
    type:
      description: What the tool calls its type, for instance V(full) or V(incr).
      returned: for physical ones
      type: str
    format:
      description: V(custom), V(directory), V(tar) or V(plain).
      returned: for V(pg_dump), where it was read
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
  description: Why there is none, with the newest that is not usable and the sources without an answer; else empty.
  returned: success
  type: str
recent:
  description:
    - Whether RV(newest), without its log, holds data that is not older than O(max_age); null without that, false where
      there is none, or its time is still to come.
  returned: success
  type: bool
furthest:
  description:
    - The usable backup that with its log brings back the latest moment, shaped as RV(newest); null where there is none.
      With archiving that is an old one with a log up to a minute ago.
  returned: success
  type: dict
recent_with_log:
  description: Whether that moment is not longer ago than O(max_age); null without that, false where none is.
  returned: success
  type: bool
before:
  description: The newest usable backup that had ended before O(before), shaped as RV(newest); null where there is none.
  returned: success
  type: dict
before_why:
  description: Why there is none; else empty.
  returned: success
  type: str
lost_seconds:
  description: Of how many seconds before O(before) the data would be lost, if RV(before) came back with its log.
  returned: success
  type: int
point_in_time:
  description: Whether the data can be brought back as it was just before O(before); null without that.
  returned: success
  type: dict
  contains:
    possible:
      description: V(true), V(false), or null where it is not known how far the log goes.
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
  description: Backups of all sources, newest first, up to O(limit), each shaped as RV(newest).
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
      description: As given, and so are C(stanza), C(server) and C(repo).
      type: str
    found:
      description: How many backups it has, usable or not.
      type: int
    newest:
      description: Label of its newest usable one, or null.
      type: str
    newest_as_of:
      description: The moment whose data that holds, in UTC.
      type: str
    refused:
      description: Up to 20 of its backups that are not usable, newest first, each with C(label) and C(why_not).
      type: list
      elements: dict
    warnings:
      description: What is not as it should be, for instance a backup that is running.
      type: list
      elements: str
    error:
      description: Why it gave no whole answer, with C(code), C(what), C(why), C(todo) and C(page); else null.
      type: dict
    elapsed_ms:
      description: Milliseconds that it took.
      type: int
complete:
  description: Whether every source gave a whole answer.
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
        - V(false) where the last try failed, more than O(max_behind) files wait, or nothing is archived or streamed.
          Null where it cannot be told, as on a replica, or where the log is streamed instead of archived.
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
      description: How many tries failed since C(stats_reset).
      type: int
    last_failed_wal:
      description: The last file that could not be archived.
      type: str
    last_failed_time:
      description: When, in UTC.
      type: str
    stats_reset:
      description: Since when it is counted, in UTC.
      type: str
    behind_segments:
      description: How many full files of the log wait to be archived.
      type: int
    unarchived_bytes:
      description: How much of the log is not archived yet, and would be lost with the server.
      type: int
    receivers:
      description: Who streams the log to keep it, each with C(application_name), C(state) and C(behind_bytes).
      type: list
      elements: dict
    error:
      description: Why the server gave no answer, with C(code), C(what), C(why), C(todo) and C(page); else null.
      type: dict
database:
  description: Which database was asked, by name, address, cluster, role and version; null where none was.
  returned: success
  type: dict
cluster:
  description: System identifier of the server's cluster, which backups are compared with; null where it is not known.
  returned: success
  type: str
sampled_at:
  description: The moment from which ages count, in UTC, by this host's clock.
  returned: success
  type: str
elapsed_ms:
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong, why it matters and what to do, and the C(page) that says more. Only options that are
      wrong are a failure.
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
    """Read the options, do the work, end."""
    module = AnsibleModule(argument_spec={**postgres_spec(), **OPTIONS}, supports_check_mode=True)
    params = module.params

    def work() -> Outcome:
        return find_backups(login_from(params), Request(**{name: params[name] for name in OPTIONS}))

    run(module, work)


if __name__ == "__main__":
    main()
