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
      - What to count. Names of tables and columns are looked for exactly first, then in lower case.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name in the results, unique among all.
        type: str
        required: true
      kind:
        description:
          - V(orphan) counts rows of O(checks[].table) whose O(checks[].column) leads to no row of
            O(checks[].references).
          - V(invalid_reference) counts those whose O(checks[].column) leads to no row of the same tenant. It needs
            O(checks[].tenant). Rows without a tenant are left to a check of their own.
          - V(null_reference) counts those whose O(checks[].column) is NULL.
          - V(duplicate) counts those that are too many among rows with the same O(checks[].columns). One of each is
            right; as for a unique constraint, rows with a NULL there are no duplicates.
          - V(cross_tenant) counts those whose O(checks[].column) and O(checks[].other_column) lead to rows of different
            tenants, for instance a ticket with the tag of another company. Both references need their C(tenant); rows
            of nobody are left to a check of their own.
          - V(ordering) counts, in each O(checks[].lane) of each O(checks[].tenant), rows at an O(checks[].position)
            that another one has, rows without one, and with O(checks[].gaps=corrupt) the numbers that are left out, of
            a lane at most as many as it has rows.
          - V(two_lanes) counts the lanes that are too many, where lanes are tags and a ticket is to be in one.
          - V(cardless_ticket) counts tickets in no lane, which is what a move leaves that was interrupted between its
            delete and its insert. The data does not tell such a ticket from one that never was on the board. What it
            does tell is the tenant's habit, so they count where O(checks[].share) of the tenant's tickets are in a
            lane. Give it the severity V(low), or O(checks[].share=0) where each ticket must have a lane.
          - V(timeline) counts the hours of O(checks[].window_hours) in which more or fewer rows begin than is usual for
            that hour on such a day, workday or weekend, by the median of O(checks[].baseline_days);
            RV(ignore:checks[].first_at) is the hour of departure, which M(chatia.kanban_rollback.pg_restore_tables)
            takes as it stands for the moment to go back to. It does not apply where there are no rows from 14 days
            before.
          - V(mass_delete) does the same for hours with too few, for rows that are gone leave nothing else behind. Where
            a column tells when rows were deleted, name it in O(checks[].time) and say O(checks[].departure=more). What
            is gone of all ages alike is found by V(missing_since) only.
          - V(missing_since) counts rows that were there and are not any more, by O(checks[].against).
          - V(sql) counts what O(checks[].query) returns.
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
          - How bad it is. RV(ignore:status) is decided by all alike; triage.yml goes by V(critical) ones alone, and
            only says what the others found.
        type: str
        choices: [critical, high, low]
        default: critical
      table:
        description:
          - The table whose rows are looked at, as C(name) or C(schema.name). Every kind but V(sql) needs it.
        type: str
      unless:
        description:
          - A table in whose presence the check does not apply. Where lanes are a table, a tag is no lane, whatever its
            mark says.
        type: str
      column:
        description:
          - The column that refers to another row. For V(duplicate) it is what leads to the tenant, by way of
            O(checks[].references).
          - For V(two_lanes) it is the column that leads to O(checks[].lanes), for V(cardless_ticket) the one with the
            lane or, with O(checks[].references), the ticket's key. For V(missing_since) it is the key that
            O(checks[].against.ids) has.
        type: str
      columns:
        description:
          - What must be unique together, for V(duplicate).
          - Of what there is to be one lane at most, for V(two_lanes), for instance the column that leads to the ticket.
        type: list
        elements: str
      references:
        description:
          - Where O(checks[].column) leads to.
          - For V(cardless_ticket) where lanes are tags, the rows that put a ticket in a lane, and their column that
            leads to the ticket.
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
              - The column that says whose its rows are. For V(invalid_reference), the name in O(checks[].tenant) if
                left out.
            type: str
      other_column:
        description: The second column that refers to another row, for V(cross_tenant).
        type: str
      other_references:
        description: Where O(checks[].other_column) leads to.
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
            description: The column that says whose its rows are.
            type: str
      tenant:
        description:
          - The column of O(checks[].table) that says whose a row is. Without it RV(ignore:checks[].affected_tenants)
            is not known.
        type: str
      null_is:
        description: What NULL in O(checks[].column) is, for V(orphan).
        type: str
        choices: [orphan, ignored]
        default: orphan
      position:
        description:
          - The column with a row's place in its lane, for V(ordering).
          - For V(cardless_ticket) what a ticket that left its lane by halves still has; one without does not count.
        type: str
      lane:
        description:
          - The columns that say within what O(checks[].position) counts, beside O(checks[].tenant), for V(ordering). A
            row with a NULL there is in no lane.
        type: list
        elements: str
      gaps:
        description:
          - What a number is that is left out between the first and the last of a lane, for V(ordering).
          - Positions that are no integers have no gaps.
        type: str
        choices: [corrupt, ignored]
        default: corrupt
      lanes:
        description: The table whose rows are lanes, for V(two_lanes) and V(cardless_ticket) where lanes are tags.
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
            description: The column that says whose its rows are.
            type: str
          mark:
            description: The column that tells a lane from other rows. Without it, all of them are lanes.
            type: str
          mark_value:
            description: What is in O(checks[].lanes.mark) of a lane, as text; C(true) or C(false) for a boolean.
            type: str
            default: "1"
          through:
            description: For V(cardless_ticket), the column of O(checks[].references) that leads to the lane.
            type: str
      share:
        description:
          - For V(cardless_ticket), the share of a tenant's tickets that must have a lane for one without to be out of
            the ordinary there. With 0, each ticket must have one.
        type: float
        default: 0.95
      time:
        description:
          - A column with the time of a row, from which RV(ignore:checks[].first_at) and RV(ignore:checks[].last_at) are
            taken where it is there and may be read; for V(timeline) and V(mass_delete) the one that is counted by the
            hour; for V(missing_since) the time since when a row is there.
        type: str
      time_zone:
        description: In which zone O(checks[].time) is, where its type has none, and which hours are a day's.
        type: str
        default: UTC
      window_hours:
        description:
          - The last so many whole hours, and the one that is not over, are compared with the days before, for
            V(timeline) and V(mass_delete). At most 744.
        type: int
        default: 24
      baseline_days:
        description: With how many days before them, from 14 to 366.
        type: int
        default: 28
      threshold:
        description:
          - How far from what is usual an hour must be to count, in standard deviations as the median absolute
            deviation gives them, and never less than the square root of what is usual.
        type: float
        default: 5
      departure:
        description:
          - Whether hours with V(more) rows than usual count, with V(fewer), or with V(either). Left out, it is
            V(either) for V(timeline) and V(fewer) for V(mass_delete).
        type: str
        choices: [either, fewer, more]
      against:
        description: What was there, for V(missing_since); one of O(checks[].against.ids), O(checks[].against.rows) and
          O(checks[].against.manifest).
        type: dict
        suboptions:
          manifest:
            description: Directory, on this host, of a dump by M(chatia.kanban_rollback.pg_dump), whose count is taken.
            type: path
          rows:
            description: How many rows there were.
            type: int
          at:
            description:
              - When that was, as C(2026-11-25T10:00:00Z). With O(checks[].time), rows that came later do not hide what
                is missing. A manifest has its own.
            type: str
          ids:
            description: Keys that were there, at most 100000, as PostgreSQL writes them.
            type: list
            elements: str
      query:
        description:
          - For V(sql), a query that returns the corrupt rows. It is put in brackets, so it is one statement, and it
            only reads. A column C(tenant) says whose a row is, a column C(moment) when it was (without a zone, in UTC);
            the others, at most 8, are its key.
        type: str
      tolerate:
        description: Up to so many are known and no incident, for instance what an old migration has left.
        type: int
        default: 0
      repair:
        description:
          - How C(integrity_repair) mends it. M(chatia.kanban_rollback.integrity_info) does not
            look at it.
        type: dict
        suboptions:
          action:
            description:
              - What is done. Left out, it is V(delete) for V(duplicate), V(orphan) and V(two_lanes), V(set_null) for
                V(invalid_reference), V(renumber) for V(ordering) and V(none) for the others. With V(none) the check
                only tells whether a repair made anything worse.
            type: str
            choices: [delete, none, renumber, set_null, set_value]
          value:
            description: What V(set_value) puts into O(checks[].column), as text.
            type: str
          order_by:
            description:
              - The column by which the oldest is told, which V(delete) keeps of V(duplicate) (of V(two_lanes) it keeps
                the newest). Left out, it is the primary key, then O(checks[].time), then where the row lies.
            type: str
"""
