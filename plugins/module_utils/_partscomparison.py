# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of scenario 3 that says what a backup has that the data lacks, before any of it comes back. Pure.

It is judged for the primaries that answered, as the assessment is. Rows are named by their keys: whatever else they
hold is people's own.
"""

from __future__ import annotations

from typing import Any, Collection, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import PRESERVE, RECOVER, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import APPROVER, check_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrestore import away_lines, away_rows, named
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._recovery import OF_A_PLAN, differing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restoreplan import lost_rows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of

_ABOUT_LOST = (
    "Next: what lacks what it belongs to comes back with that, where its table, too, stands in kanban_restore_tables. "
    "Where it is to stay away, release.yml takes kanban_break_glass with validation, and a reason."
)
_TO_STAY = "Or let somebody else look at the plan, and approve that it stays away:"
_FIGURES = ("missing", "changed", "deleted", "newer")


def comparison_part(
    names: Sequence[str],
    counted: Sequence[Answer],
    compared: Sequence[Answer],
    sinces: Sequence[Answer],
    whole: Mapping[str, Any],
    arguments: Sequence[str],
    check_mode: bool = False,
    applies: bool = False,
    file: str = "",
) -> dict[str, Any]:
    """Judge the comparison with a backup: what is missing on every primary, and what would come back.

    :param counted: as ``integrity_info`` gives them; ``compared`` as ``pg_restore_tables`` in check mode.
    :param sinces: as ``corrupt_since`` gives them; ``whole``: the plan of all, as ``plan_of_all`` gives it.
    :param arguments: what a line to type needs, including the options of this comparison.
    :param applies: whether this run goes on to apply it, so that nobody has to be told how.
    :param file: where the whole comparison is on the controller.
    """
    part = Part(PRESERVE, "the data is compared with the backup")
    for name, checks, plan, since in together(names, counted, compared, sinces):
        if "checks" not in checks:
            part.bad.append(f"the data on {name} is not assessed")
            part.lines.append(why_line(f"{name}: data NOT ASSESSED", checks))
            continue
        if checks["corrupt"]:
            part.kind = RECOVER
        part.lines += [f"{name}: {line}" for line in (*check_lines(checks), *_lines(plan, since))]
        part.bad += _in_the_way(name, plan, check_mode)
    part.bad += [f"the plan could not be applied: {one_line(text)}" for text in differing(compared)]
    if not names:
        part.bad.append("no data is compared, for no primary answered")
    if part.bad:
        # Anyone who asks for a restore has lost something, whatever the checks say: this is not a misfire.
        part.kind = RECOVER
    if whole["rows"]:
        part.kind, part.good = RECOVER, f"the plan would bring {whole['rows']:,} rows back"
        part.lines.append(f"Plan {whole['hash']}" + (f", in full in {file} on the controller" if file else ""))
        if not applies and not part.bad and not check_mode:
            part.next += _to_apply(str(whole["hash"]), arguments)
    elif not part.bad:
        lost = sum(rows for plan in compared for rows in lost_rows(plan.get("plan", {})).values())
        part.good = "the backup has no row that would come back"
        if lost:
            part.kind, part.good = RECOVER, f"{lost:,} rows of the backup are gone and nothing would bring them back"
            part.lines.append(f"Plan {whole['hash']}: they stay away")
            part.next.append(_ABOUT_LOST)
            if not applies and not check_mode:
                part.next += [_TO_STAY, _approving(str(whole["hash"]), arguments)]
        part.lines += [f"The comparison is in full in {file} on the controller"] if file else []
    return part.as_result()


def _in_the_way(name: str, plan: Answer, check_mode: bool) -> Iterator[str]:
    if "plan" not in plan:
        yield f"the data on {name} is not compared with a backup"
        return
    for reason in plan["plan"]["refused"]:
        # As with a repair: check mode does not miss what only the stop itself would raise.
        if not check_mode or reason["code"] not in OF_A_PLAN:
            yield f"the plan on {name} could not be applied: {one_line(reason['what'])}"


def _approving(made: str, arguments: Sequence[str]) -> str:
    command = command_of("scenario3", [*arguments, "-e", f"kanban_plan_hash={made}"])
    return f"{command} -e kanban_approved_by={APPROVER}"


def _to_apply(made: str, arguments: Sequence[str]) -> list[str]:
    return [
        "Next: let somebody else look at the plan. What comes back is noted, and kanban_recovery=undo takes it away "
        "again. To apply it:",
        _approving(made, arguments),
    ]


def _lines(plan: Answer, since: Answer) -> Iterator[str]:
    if "plan" not in plan:
        yield why_line("NOT COMPARED with a backup", plan)
    else:
        yield _source_line(plan["source"])
    if since and since["at"]:
        yield (
            f"the data counts as corrupt since {one_line(since['at'])}: {since['by']}. "
            "Another moment: -e kanban_corrupt_since=..."
        )
    if "plan" not in plan:
        return
    made = plan["plan"]
    for table in made["tables"]:
        yield from _table_lines(table, {row["check"] for row in made["parts"] if row["table"] == table["table"]})
    for row in made["parts"]:
        verb = "set back" if row["action"] == "update" else "bring back"
        yield f"plan: {verb} {row['rows']:,} {one_line(row['check'])} rows of {one_line(row['table'])}"
    if made["total_rows"]:
        yield f"plan: at most {made['fraction']:.2%} of a table, about {made['estimate_seconds']:.0f} s"
    yield from warnings_of(plan)


def _source_line(source: Mapping[str, Any]) -> str:
    what = one_line(" ".join(str(source[name]) for name in ("kind", "path") if source.get(name)))
    taken, zone = source.get("taken_at"), source.get("zone")
    line = f"compared with the {what}, " + (f"the data at {taken}" if taken else "which does not say of when it is")
    return line + (f" if that was written in this host's time zone ({one_line(zone)})" if zone else "")


def _table_lines(table: Mapping[str, Any], coming: Collection[str]) -> Iterator[str]:
    name = one_line(table["table"])
    told = ", ".join(f"{table[kind]:,} {kind}" for kind in _FIGURES if table[kind])
    same = "none would come back" if away_rows(table) else "the same"
    line = f"{name}: {table['rows_in_backup']:,} rows in the backup, {table['rows_now']:,} now: {told or same}"
    yield line + _tenants(table)
    if table["missing"]:
        yield named(f"{name}: missing", table, "missing")
    if table["changed"]:
        columns = ", ".join(f"{one_line(row['column'])} in {row['rows']:,}" for row in table["columns"][:SHOWN])
        stay = "" if "changed" in coming else "; they stay, and kanban_restore_changed=restore sets them back"
        yield named(f"{name}: changed: {columns}{stay}", table, "changed")
    if table["deleted"] and "deleted" not in coming:
        what = f"{table['deleted']:,} rows that a repair deleted stay away"
        yield named(f"{name}: {what}; kanban_restore_deleted=restore brings them back", table, "deleted")
    yield from away_lines(table)


def _tenants(table: Mapping[str, Any]) -> str:
    count = table.get("tenants_count") or 0
    each = []
    for row in table["tenants"][:SHOWN]:
        figures = ", ".join(f"{row[kind]:,} {kind}" for kind in _FIGURES if row.get(kind))
        each.append(f"{one_line(row['tenant'])}" + (f" ({figures})" if figures else ""))
    more = f" and {count - len(each):,} more" if count > len(each) else ""
    return f"; tenants {', '.join(each)}{more}" if each else ""
