# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The checks of the data, which several modules take as they are."""

    DOCUMENTATION = r"""
options:
  checks:
    description:
      - Checks to run. Names of tables and columns are looked up exactly first, then in lower case.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the check in the results, unique among all checks.
        type: str
        required: true
      kind:
        description:
          - V(orphan) counts rows of O(checks[].table) whose O(checks[].column) refers to no row of
            O(checks[].references).
          - V(invalid_reference) counts rows whose O(checks[].column) refers to no row of the same tenant. It needs
            O(checks[].tenant). Rows without a tenant are left to a separate check.
          - V(null_reference) counts rows whose O(checks[].column) is NULL.
          - V(duplicate) counts the surplus rows among those with the same O(checks[].columns). One row of each group is
            right. As for a unique constraint, rows with a NULL in these columns are not duplicates.
          - V(cross_tenant) counts rows whose O(checks[].column) and O(checks[].other_column) refer to rows of different
            tenants, for instance a ticket with the tag of another company. Both references need their C(tenant).
            References to rows without a tenant are left to a separate check.
          - V(ordering) counts, in each O(checks[].lane) of each O(checks[].tenant), rows at an O(checks[].position)
            that another row has, and rows without one. With O(checks[].gaps=corrupt) it also counts missing numbers, in
            each lane at most as many as the lane has rows.
          - V(two_lanes) counts surplus lanes, if lanes are tags and a ticket must be in one lane only.
          - V(cardless_ticket) counts tickets in no lane, which is what a move leaves behind if it is interrupted
            between its delete and its insert. The data does not distinguish such a ticket from one that was never on
            the board. It does show the tenant's habit, so these tickets count if at least O(checks[].share) of the
            tenant's tickets are in a lane. Give the check the severity V(low), or O(checks[].share=0) if each ticket
            must have a lane.
          - V(timeline) counts the hours of O(checks[].window_hours) in which more or fewer rows begin than is usual for
            that hour on such a day (workday or weekend), by the median of O(checks[].baseline_days).
            RV(ignore:checks[].first_at) is the first such hour. M(chatia.kanban_rollback.pg_restore_tables) takes it
            unchanged as the moment to go back to. The check does not apply if there are no rows from 14 days before.
          - V(mass_delete) does the same for hours with too few rows, because deleted rows leave no other trace. If a
            column records when rows were deleted, name it in O(checks[].time) and set O(checks[].departure=more). Only
            V(missing_since) finds rows that were deleted evenly across all ages.
          - V(missing_since) counts rows that existed, according to O(checks[].against), and no longer do.
          - V(sql) counts the rows that O(checks[].query) returns.
        type: str
        required: true
        choices:
          - cardless_ticket
          - cross_tenant
          - duplicate
          - invalid_reference
          - mass_delete
          - missing_since
          - null_reference
          - ordering
          - orphan
          - sql
          - timeline
          - two_lanes
      severity:
        description:
          - How serious a finding is. Findings of every severity decide RV(ignore:status). The playbook triage.yml
            decides by V(critical) checks alone and only reports what the others found.
        type: str
        choices: [critical, high, low]
        default: critical
      table:
        description:
          - Table whose rows are checked, as C(name) or C(schema.name). Every kind but V(sql) needs it.
        type: str
      unless:
        description:
          - Table whose existence means that the check does not apply. If lanes are a table, for instance, a tag is not
            a lane, whatever its mark says.
        type: str
      column:
        description:
          - Column that refers to another row. For V(duplicate) it is the column that leads to the tenant through
            O(checks[].references).
          - For V(two_lanes) it is the column that refers to O(checks[].lanes). For V(cardless_ticket) it is the column
            with the lane or, with O(checks[].references), the ticket's key. For V(missing_since) it is the key that
            O(checks[].against.ids) lists.
        type: str
      columns:
        description:
          - Columns that must be unique together, for V(duplicate).
          - For V(two_lanes), the columns that identify what may be in one lane at most, for instance the column that
            refers to the ticket.
        type: list
        elements: str
      references:
        description:
          - What O(checks[].column) refers to.
          - For V(cardless_ticket), if lanes are tags, the rows that put a ticket in a lane, and their column that
            refers to the ticket.
        type: dict
        suboptions:
          table:
            description: The table.
            type: str
            required: true
          column:
            description: Its key.
            type: str
            required: true
          tenant:
            description:
              - Column with the tenant of its rows. For V(invalid_reference), the default is the name in
                O(checks[].tenant).
            type: str
      other_column:
        description: The second column that refers to another row, for V(cross_tenant).
        type: str
      other_references:
        description: What O(checks[].other_column) refers to.
        type: dict
        suboptions:
          table:
            description: The table.
            type: str
            required: true
          column:
            description: Its key.
            type: str
            required: true
          tenant:
            description: Column with the tenant of its rows.
            type: str
      tenant:
        description:
          - Column of O(checks[].table) with the tenant of a row. Without it, RV(ignore:checks[].affected_tenants) is
            not known.
        type: str
      null_is:
        description: How NULL in O(checks[].column) counts, for V(orphan).
        type: str
        choices: [orphan, ignored]
        default: orphan
      position:
        description:
          - Column with a row's place in its lane, for V(ordering).
          - For V(cardless_ticket), a column that still has a value after an interrupted move. A ticket with NULL there
            does not count.
        type: str
      lane:
        description:
          - Columns within whose values O(checks[].position) counts, in addition to O(checks[].tenant), for V(ordering).
            A row with a NULL there is in no lane.
        type: list
        elements: str
      gaps:
        description:
          - How a number that is missing between the first and the last of a lane counts, for V(ordering).
          - Positions that are not integers have no gaps.
        type: str
        choices: [corrupt, ignored]
        default: corrupt
      lanes:
        description: Table whose rows are lanes, for V(two_lanes), and for V(cardless_ticket) if lanes are tags.
        type: dict
        suboptions:
          table:
            description: The table.
            type: str
            required: true
          column:
            description: Its key.
            type: str
            required: true
          tenant:
            description: Column with the tenant of its rows.
            type: str
          mark:
            description: Column that distinguishes a lane from other rows. Without it, all rows are lanes.
            type: str
          mark_value:
            description: Value of O(checks[].lanes.mark) in a lane, as text; C(true) or C(false) for a boolean.
            type: str
            default: "1"
          through:
            description: For V(cardless_ticket), the column of O(checks[].references) that refers to the lane.
            type: str
      share:
        description:
          - For V(cardless_ticket), the share of a tenant's tickets that must have a lane before a ticket without one is
            considered unusual there. With 0, each ticket must have one.
        type: float
        default: 0.95
      time:
        description:
          - Column with the time of a row. RV(ignore:checks[].first_at) and RV(ignore:checks[].last_at) are taken from
            it if it exists and may be read. V(timeline) and V(mass_delete) count rows by the hour of this column. For
            V(missing_since) it is the time since which a row exists.
        type: str
      time_zone:
        description:
          - Time zone of O(checks[].time) if its type has none, and the zone that decides which hours belong to a day.
        type: str
        default: UTC
      window_hours:
        description:
          - How many of the last whole hours are compared with the days before, in addition to the current one, for
            V(timeline) and V(mass_delete). At most 744.
        type: int
        default: 24
      baseline_days:
        description: How many days before those hours they are compared with, from 14 to 366.
        type: int
        default: 28
      threshold:
        description:
          - How far an hour must be from what is usual to count, in standard deviations. A standard deviation is derived
            from the median absolute deviation, and is never less than the square root of what is usual, nor than 1.
        type: float
        default: 5
      departure:
        description:
          - Whether hours count that have V(more) rows than usual, V(fewer), or V(either). The default is V(either) for
            V(timeline) and V(fewer) for V(mass_delete).
        type: str
        choices: [either, fewer, more]
      against:
        description:
          - What existed, for V(missing_since). Give one of O(checks[].against.ids), O(checks[].against.rows) and
            O(checks[].against.manifest).
        type: dict
        suboptions:
          manifest:
            description:
              - Directory, on this host, of a dump by M(chatia.kanban_rollback.pg_dump) whose row count is used.
            type: path
          rows:
            description: How many rows there were.
            type: int
          at:
            description:
              - Time of that count, as C(2026-11-25T10:00:00Z). With O(checks[].time), rows that came later do not hide
                what is missing. A manifest has its own time.
            type: str
          ids:
            description: Keys that existed, at most 100000, as PostgreSQL writes them.
            type: list
            elements: str
      query:
        description:
          - For V(sql), a query that returns the corrupt rows. It is put in parentheses, so it is one statement, and it
            only reads. A column C(tenant) has the tenant of a row, and a column C(moment) its time (in UTC if it has no
            zone). The other columns, at most 8, are its key.
        type: str
      tolerate:
        description: How many findings are known and not an incident, for instance because an old migration left them.
        type: int
        default: 0
      repair:
        description:
          - How C(integrity_repair) repairs what the check finds. M(chatia.kanban_rollback.integrity_info) ignores it.
        type: dict
        suboptions:
          action:
            description:
              - What to do. The default is V(delete) for V(duplicate), V(orphan) and V(two_lanes), V(set_null) for
                V(invalid_reference), V(renumber) for V(ordering) and V(none) for the others. With V(none) the check
                only tells whether a repair made anything worse. With the severity V(critical) that takes the repair
                back, with a lower one it is a warning.
            type: str
            choices: [delete, none, renumber, set_null, set_value]
          value:
            description: Value that V(set_value) puts into O(checks[].column), as text.
            type: str
          order_by:
            description:
              - Column that tells which row is the oldest. V(delete) keeps the oldest row of V(duplicate) (of
                V(two_lanes) it keeps the newest). The default is a primary key of one integer column, then
                O(checks[].time), then any other primary key.
            type: str
"""
