#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore_tables
short_description: Bring rows of tables back from a dump or a point in time by comparing, never by overwriting
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Compares tables with their rows in a backup by key or, if there is no key, by whole rows and how often each occurs.
    Reports per table, and per tenant, what is missing, changed and newer.
  - In check mode, it only returns that report and its hash. Outside check mode, and with that hash, missing rows come
    back, changed rows get their old values back if O(changed=restore), and newer rows stay, all in one transaction.
  - Nothing in a dump is executed. The data between C(COPY ... FROM stdin) and its end is read into temporary tables of
    the module's own session, which end with it, and compared there. No other database is created, and nothing is
    written to the server's log until rows come back.
  - From pgBackRest, rows come as they were just before a moment. It restores this one database into a scratch instance
    on the host that runs the module. The instance replays the log up to that moment and gives its rows by C(pg_dump);
    they are then compared in the same way. The instance is removed as soon as the rows are read, and in any other case
    as well.
  - What is changed is kept in the ledger's quarantine first, and what is put back is noted there, so O(state=undone)
    removes exactly that. O(checks) count before and after; if one counts more afterwards, everything is rolled back.
options:
  state:
    description:
      - V(restored) compares and brings back. V(undone) undoes what restores of this module and repairs of
        M(chatia.kanban_rollback.integrity_repair) did in the incident, newest first; sequences stay as they are.
    type: str
    choices: [restored, undone]
    default: restored
  source:
    description: What to compare with. Required for O(state=restored).
    type: dict
    suboptions:
      kind:
        description:
          - V(dump) is a directory that M(chatia.kanban_rollback.pg_dump) made; each of its files is compared with its
            manifest first. V(file) is the output of C(pg_dump) itself, in the custom, directory, tar or plain format,
            the plain one optionally packed by gzip, with rows as COPY and not as INSERT. V(pgbackrest) is a moment,
            from the stanza O(source.stanza) of pgBackRest.
        type: str
        choices: [dump, file, pgbackrest]
        required: true
      path:
        description: Path of the V(dump) or V(file) on the host that runs the module. Required for these two.
        type: path
      stanza:
        description: The stanza of this server. Required for V(pgbackrest).
        type: str
      target:
        description:
          - The moment, with its zone, just before which rows are wanted. What was committed then or later is not
            included. Left out, it is O(corrupt_since). The time that the check V(timeline) of
            M(chatia.kanban_rollback.integrity_info) returns can be given as it is.
        type: str
      repo:
        description: The number of the only repository to restore from. Left out, all are looked at.
        type: int
      program:
        description: pgBackRest's program, by name or full path. Left out, it is C(pgbackrest).
        type: path
      config:
        description: pgBackRest's configuration file, if it is not the default.
        type: path
      env_dir:
        description: A directory whose files are variables for pgBackRest, as in M(chatia.kanban_rollback.backup_info).
        type: path
      user:
        description:
          - The account that pgBackRest and the scratch instance run as, if the module runs as root. PostgreSQL never
            runs as root. Left out, it is the owner of the server's data, if the server is on this host and tells this
            role where its data is. If the module does not run as root, it is the module's own account.
        type: str
      scratch_dir:
        description:
          - A directory on a local disk in which the scratch instance makes its own directory. Left out, it is the
            account's home or C(/var/tmp), whichever has more space. The socket is there too, so the path may have about
            60 bytes.
        type: path
      min_free:
        description:
          - What must stay free on the disk of O(source.scratch_dir), in bytes or like V(1G). It is checked before and
            continuously, because the database may be on the same disk.
        type: bytes
        default: 1G
  tables:
    description:
      - The tables, by name or as maps. Required for O(state=restored).
      - A map has C(name), C(tenant) (the column that says whose a row is), and C(created) (the column that
        distinguishes a row from another one that took its key). Without C(created), such a row counts as changed.
    type: list
    elements: raw
  changed:
    description: Whether existing rows that differ are only reported, or get their old values back.
    type: str
    choices: [report, restore]
    default: report
  deleted:
    description:
      - Whether rows that repairs of M(chatia.kanban_rollback.integrity_repair) deleted, and that were not undone, are
        only reported or come back.
    type: str
    choices: [report, restore]
    default: report
  checks:
    description:
      - Post-conditions, as in M(chatia.kanban_rollback.integrity_info). None of them may count more after than before.
        How they would be repaired is ignored.
    required: false
  skip_conflicts:
    description:
      - If a check counts more afterwards, leave out the restored rows that it names and try again, up to three times,
        instead of refusing everything. RV(superseded) reports them.
    type: bool
    default: false
  corrupt_since:
    description:
      - When the data began to be corrupt, with its zone. A backup that shows the data at that moment or later, or that
        does not say when it was made, is refused.
    type: str
  allow_late:
    description: Use such a backup anyway. This is an override to be given with a reason; it is recorded.
    type: bool
    default: false
  plan_hash:
    description: Hash of the report that was approved. Without it, or with another one, nothing is changed.
    type: str
  approved_by:
    description: Who approved it, for the record.
    type: str
  max_rows:
    description: A plan that touches more rows than this is not applied.
    type: int
    default: 100000
  max_fraction:
    description:
      - A plan that touches more than this share of any table is not applied. The share is that of the rows that exist
        now or in the backup, whichever are more. For a table that was emptied, it must be V(1).
    type: float
    default: 0.5
  allow_unfenced:
    description:
      - Go on even if the fence (M(chatia.kanban_rollback.write_fence)) does not keep others from deleting rows of these
        tables, or from changing the columns that get old values back. This is an override to be given with a reason; it
        is recorded.
    type: bool
    default: false
  lease_by_force:
    description: Take the recovery lease from its holder. This is an override to be given with a reason.
    type: bool
    default: false
  lease_wait:
    description:
      - Seconds to wait for the lease if another run has it; after that, it is an error. They do not count against
        O(deadline). If a module of the same run works on the same database, this module waits until that one has ended.
    type: float
    default: 0
  deadline:
    description:
      - Seconds that the module may take; what is not done by then is rolled back. For V(pgbackrest), allow for a
        restore of this database and for replaying the log since the backup.
    type: float
    default: 600
  limit_samples:
    description: How many rows of each kind to name for each table, at most 1000.
    type: int
    default: 10
  bin_dir:
    description:
      - Directory of C(pg_restore), and for V(pgbackrest) of C(postgres), C(pg_controldata) and C(pg_dump). Left out,
        they are looked for as in M(chatia.kanban_rollback.pg_dump).
    type: path
extends_documentation_fragment:
  - chatia.kanban_rollback.integrity_checks
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.incident
attributes:
  check_mode:
    support: full
    description: Compares, or reports what would be undone. Takes no row locks.
    details:
      - The backup's rows are read into temporary tables in check mode, too. With O(source.kind=pgbackrest), check mode
        restores the scratch instance, and applying restores it and compares again.
  diff_mode:
    support: full
    description: Shows how many rows of each kind a table has before and after.
notes:
  - The role needs SELECT and INSERT on the tables, UPDATE of the columns for O(changed=restore), TEMPORARY on the
    database, and membership in a role that may pass the fence. For O(state=undone) it also needs DELETE. To set a
    sequence, it needs UPDATE on that sequence.
  - The key is the primary key, otherwise a unique index of columns that are never NULL. Types without an equality
    operator, or with a special one, are compared as text, character by character.
  - A column that the table no longer has stays in the backup. A column that was added since takes its default in rows
    that come back, and stays as it is in others. Generated columns are in no backup.
  - The quarantine shows what a repair deleted; rows that retention has purged from it count as missing. So do rows that
    only a repair of before the backup deleted, because the backup has them again; if a backup does not say when it was
    made, every repair counts.
  - A row does not come back if its parent, by a foreign key, neither exists nor comes back, or if its parent's key now
    belongs to another row (C(without_parent)). Neither does a row with a unique value that another row now has
    (C(taken)).
  - Without a key, a row that moved counts as one missing row and one newer row. If the application moves by deleting a
    row and inserting another one, bringing the old one back gives two rows; O(checks) exist for that.
  - Triggers of the application fire. If one changes or deletes rows that the plan does not name, everything is rolled
    back. If one alters a row that comes back, there is a warning.
  - Samples name rows by their key or, without one, by up to four of their numbers and UUIDs. Other contents of a row
    are never shown.
  - The rows need space for temporary tables on the server, about as much as the tables themselves. If the server is on
    the host that runs the module, that space is checked first.
  - The database of a file is known only if the file names it. A plain file names it only with C(--create), and says
    when it was made only with C(--verbose). The time in an archive has no zone, so this host's zone is assumed, as it
    is for a plain file whose zone is an abbreviation other than UTC and GMT.
  - The scratch instance has its own settings, and none of production's except the limits that recovery demands. It
    archives nothing, replicates nothing, loads no library and runs no login trigger. It listens on no address, has one
    socket in a directory that only its account can enter, and lets that account in as the bootstrap superuser. It has
    the lowest priority for processor and disk, and is the first to be killed when memory runs out.
  - pgBackRest's locks for it are in the scratch directory and it writes no log, so no command of production has to
    wait, and no log directory has to be writable. For the same reason, C(pgbackrest stop) does not stop it.
  - A process in its own session keeps the instance. When the module ends, in whatever way, that process ends the
    instance and removes its directory. What remains after a power loss is removed by the next run of the same account
    in the same O(source.scratch_dir). It is recognized by a marker, and never removed while anybody uses it.
  - The instance's disk needs about the size of this database, as it is now or was in the backup, plus a tenth, plus 512
    MB for the log. What the log changes in other databases takes space as well.
  - The point in time can be reached once a transaction at or after it is archived. If nothing was written since, or the
    last file of the log is not full, C(SELECT pg_switch_wal()) causes it to be archived.
  - A backup from before a failover works as well. If the archive has several timelines, the server's own is followed.
requirements:
  - for V(pgbackrest), pgBackRest, the server's programs of the server's own version (12 or newer) on the host that runs
    the module, and setpriv of util-linux if the module runs as root
  - pg_restore, not older than the server and than the pg_dump that made the backup, on the host that runs the module; a
    plain file does not need it
  - While the module works, its progress is in C(kanban_rollback.leases), and M(chatia.kanban_rollback.progress_info)
    reports it. It is written about once a second in a separate session; if that fails, only the progress is unknown.
seealso:
  - module: chatia.kanban_rollback.pg_dump
  - module: chatia.kanban_rollback.integrity_repair
  - module: chatia.kanban_rollback.recovery_point_info
"""

EXAMPLES = r"""
- name: See what is missing
  chatia.kanban_rollback.pg_restore_tables: &wanted
    login_db: chatia_db
    incident_id: INC-20261125-042
    source:
      kind: dump
      path: /var/lib/kanban_rollback/dumps/INC-20261125-042
    corrupt_since: "2026-11-25T02:45:00-03:00"
    tables:
      - {name: Tickets, tenant: companyId, created: createdAt}
      - TicketTags
    checks:
      - name: orphan_tags
        kind: orphan
        table: Tags
        column: companyId
        references: {table: Companies, column: id}
  check_mode: true
  register: compared

- name: Bring just that back
  chatia.kanban_rollback.pg_restore_tables:
    <<: *wanted
    plan_hash: "{{ compared.plan_hash }}"
    approved_by: ana

- name: See what is missing of how it was just before ten to three, by pgBackRest
  chatia.kanban_rollback.pg_restore_tables:
    login_db: chatia_db
    incident_id: INC-20261125-042
    source:
      kind: pgbackrest
      stanza: main
      scratch_dir: /srv/scratch
    corrupt_since: "2026-11-25T02:50:00-03:00"
    tables:
      - {name: Tickets, tenant: companyId, created: createdAt}
      - TicketTags
    deadline: 3600
  become: true
  become_user: postgres
  check_mode: true

- name: Take it away again
  chatia.kanban_rollback.pg_restore_tables:
    login_db: chatia_db
    incident_id: INC-20261125-042
    state: undone
"""

RETURN = r"""
plan_hash:
  description: Hash of the present plan.
  returned: when O(state=restored)
  type: str
plan:
  description: What was compared, and what is planned or was done.
  returned: when O(state=restored)
  type: dict
  contains:
    tables:
      description: The result for each table. Tables that others refer to come before those that refer to them.
      type: list
      elements: dict
      contains:
        table:
          description: Schema and name.
          type: str
        by:
          description: C(key), or C(row) for whole rows and how often each occurs.
          type: str
        rows_in_backup:
          description: Rows in the backup.
          type: int
        rows_now:
          description: Rows in the table now.
          type: int
        missing:
          description: Rows of the backup that are not in the table. They come back.
          type: int
        changed:
          description: Rows with the same key that differ. They get their old values back with O(changed=restore).
          type: int
        newer:
          description: Rows that are not in the backup. They stay.
          type: int
        deleted:
          description:
            - Missing rows that an approved repair deleted after the backup was made. They come back with
              O(deleted=restore).
          type: int
        reused:
          description: Rows whose key now belongs to another row. They never come back.
          type: int
        without_parent:
          description:
            - Rows whose parent is missing, or whose parent's key now belongs to another row. They do not come back.
          type: int
        taken:
          description: Missing rows with a unique value that another row now has. They do not come back.
          type: int
        superseded:
          description: Rows that were left out, with O(skip_conflicts), because a check names them.
          type: int
        columns:
          description: Which columns differ, and in how many rows.
          type: list
          elements: dict
          sample: [{"column": "kanbanLane", "rows": 12}]
        tenants:
          description: Up to 100 tenants with the most differences, each with its rows by kind.
          type: list
          elements: dict
          sample: [{"tenant": "7", "missing": 103, "newer": 4}]
        tenants_count:
          description: How many tenants have differences; null without a tenant column.
          type: int
        samples:
          description: By kind, C(key) of some rows, C(columns) that differ, and C(times) if there is no key.
          type: dict
          sample: {"missing": [{"key": {"id": "17"}}], "changed": [{"key": {"id": "4"}, "columns": ["kanbanLane"]}]}
        dropped_columns:
          description: Columns that only the backup has.
          type: list
          elements: str
        added_columns:
          description: Columns that the backup does not have yet.
          type: list
          elements: str
        touched:
          description: Rows that are or were written.
          type: int
        fraction:
          description: That number as a share of the table.
          type: float
    parts:
      description: What is done to which table, as in M(chatia.kanban_rollback.integrity_repair).
      type: list
      elements: dict
      sample: [{"check": "missing", "table": "public.Tickets", "action": "insert", "rows": 103, "via": null,
                "effect": null}]
    checks:
      description: What each of O(checks) counts before (C(count)) and after (C(remaining)).
      type: list
      elements: dict
    total_rows:
      description: Total number of rows that are written.
      type: int
    fraction:
      description: The greatest share of a table that is touched.
      type: float
    estimate_seconds:
      description: About how many seconds it takes to apply.
      type: float
    triggers:
      description: Triggers of the application that fire.
      type: list
      elements: str
    refused:
      description:
        - Why the plan could not be applied as it is, each with C(code) and C(what), for instance C(not_fenced),
          C(too_many_rows), C(too_large_fraction), C(missing_privilege), C(no_default), C(circular), C(not_unique),
          C(deletions_unknown), C(not_known), C(no_open_incident).
      type: list
      elements: dict
source:
  description:
    - What the tables were compared with. C(taken_at) and C(database) are given as far as the source tells them, along
      with how much space the server has for the rows. For V(pgbackrest), C(taken_at) is the target, C(label) the
      backup, and C(stopped_before) when the first transaction that is not in it was committed, as reported by the
      scratch instance. C(zone) is this host's time zone, if C(taken_at) was read as its time
      because the file does not say which one is meant.
  returned: when O(state=restored)
  type: dict
  sample: {"kind": "dump", "format": "directory", "path": "/var/lib/kanban/dumps/INC-1", "database": "chatia_db",
           "taken_at": "2026-11-25T02:10:00.000000Z", "bytes": 1048576, "needed_bytes": 9437184, "free_bytes": null}
fenced:
  description: Whether the fence keeps others away from what comes back, and lets this session pass.
  returned: success
  type: bool
restored:
  description: Rows that came back, those that got their old values back included.
  returned: when O(state=restored)
  type: int
superseded:
  description: Tables with rows that were left out because a check names them, each with C(rows) and C(samples).
  returned: when O(state=restored)
  type: list
  elements: dict
sequences:
  description:
    - Sequences that were behind the rows that came back, with C(before) and C(after); C(set) tells if it was set.
  returned: when O(state=restored)
  type: list
  elements: dict
repair_id:
  description: Number of the restore in C(kanban_rollback.repairs); null if nothing was done.
  returned: when O(state=restored)
  type: int
quarantined:
  description: Rows that were put into C(kanban_rollback.quarantined), those that came back included.
  returned: when O(state=restored)
  type: int
timings:
  description:
    - Milliseconds for each step; C(load) is reading the backup's rows, C(restore) making the scratch instance and
      replaying the log.
  returned: when O(state=restored)
  type: dict
  sample: {"checks": 120, "load": 2100, "compare": 900, "apply": 300}
approved_by:
  description: Who approved it, as given in O(approved_by).
  returned: when something was changed
  type: str
undone:
  description: Numbers of the restores and repairs that were, or would be, undone.
  returned: when O(state=undone)
  type: list
  elements: int
tables:
  description: How many C(deleted), C(changed) and C(inserted) rows of which table are undone.
  returned: when O(state=undone)
  type: list
  elements: dict
conflicts:
  description: Up to 100 conflicting rows, as in M(chatia.kanban_rollback.integrity_repair).
  returned: when O(state=undone)
  type: list
  elements: dict
conflicts_count:
  description: How many there are.
  returned: when O(state=undone)
  type: int
refused:
  description: Why it could not be undone as it is, in the form of RV(plan.refused).
  returned: when O(state=undone)
  type: list
  elements: dict
incident_id:
  description: The id that the ledger knows the incident by; null if the ledger has no open one.
  returned: success
  type: str
ledger:
  description: Whether the ledger existed, its version and environment.
  returned: success
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
in_conflict:
  description:
    - If a check counts more afterwards, the tables with restored rows that it names, in the form of RV(superseded).
  returned: failure
  type: list
  elements: dict
lease:
  description: The holder of the lease, if another run has it.
  returned: failure
  type: dict
missing_wal:
  description: The first file of the log that the archive did not return, if it is known.
  returned: failure
  type: str
error:
  description:
    - On failure, what is wrong, why it matters and what to do. If a plan was made, it is in the result as well.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, for instance C(plan_hash_missing), C(plan_changed), C(row_changed),
          C(post_condition), C(not_planned), C(conflict), C(dump_unreadable), C(dump_truncated), C(dump_does_not_fit),
          C(checksum_mismatch), C(other_database), C(not_in_backup), C(rows_as_inserts), C(backup_too_late),
          C(backup_time_unknown), C(no_space), or a code of RV(plan.refused).
        - With pgBackRest also C(no_program), C(bad_stanza), C(no_stanza), C(tool_failed), C(no_backup), C(no_target),
          C(target_in_future), C(database_not_in_backup), C(tablespace_since_backup), C(wal_missing),
          C(wal_not_archived), C(archive_get_failed), C(restore_failed), C(no_server_programs), C(as_root),
          C(scratch_unusable), C(scratch_not_ready), C(scratch_failed), C(scratch_lost), C(scratch_unreadable).
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
    who_from,
    who_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityspec import checks_spec
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreentry import restore_tables
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restorerequest import RestoreRequest

MOST_SAMPLES = 1000
SOURCE = {
    "kind": {"type": "str", "choices": ["dump", "file", "pgbackrest"], "required": True},
    "path": {"type": "path"},
    "stanza": {"type": "str"},
    "target": {"type": "str"},
    "repo": {"type": "int"},
    "program": {"type": "path"},
    "config": {"type": "path"},
    "env_dir": {"type": "path"},
    "user": {"type": "str"},
    "scratch_dir": {"type": "path"},
    "min_free": {"type": "bytes", "default": "1G"},
}
NEEDED = [("kind", "dump", ["path"]), ("kind", "file", ["path"]), ("kind", "pgbackrest", ["stanza"])]
OPTIONS = {
    "state": {"type": "str", "choices": ["restored", "undone"], "default": "restored"},
    "source": {"type": "dict", "options": SOURCE, "required_if": NEEDED},
    "tables": {"type": "list", "elements": "raw"},
    "changed": {"type": "str", "choices": ["report", "restore"], "default": "report"},
    "deleted": {"type": "str", "choices": ["report", "restore"], "default": "report"},
    "checks": {**checks_spec()["checks"], "required": False},
    "skip_conflicts": {"type": "bool", "default": False},
    "corrupt_since": {"type": "str"},
    "allow_late": {"type": "bool", "default": False},
    "plan_hash": {"type": "str"},
    "approved_by": {"type": "str"},
    "max_rows": {"type": "int", "default": 100000},
    "max_fraction": {"type": "float", "default": 0.5},
    "allow_unfenced": {"type": "bool", "default": False},
    "lease_by_force": {"type": "bool", "default": False},
    "lease_wait": {"type": "float", "default": 0},
    "deadline": {"type": "float", "default": 600},
    "limit_samples": {"type": "int", "default": 10},
    "bin_dir": {"type": "path"},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={**postgres_spec(), **who_spec(), **OPTIONS},
        required_if=[("state", "restored", ["source", "tables"])],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        given = {name: params[name] for name in OPTIONS}
        given["limit_samples"] = max(0, min(params["limit_samples"], MOST_SAMPLES))
        lists = {"checks": params["checks"] or [], "tables": params["tables"] or []}
        request = RestoreRequest(who=who_from(params), **{**given, **lists, "source": params["source"] or {}})
        return restore_tables(login_from(params), request, module.check_mode)

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
