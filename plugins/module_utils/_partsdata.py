# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of scenario 3 that says whether the data is validated. Pure.

It is judged for the primaries that answered, as the parts before it are.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, PRESERVE, Part
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsrecovery import said, sample_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import command_of


def data_part(
    names: Sequence[str],
    judged: Sequence[Answer],
    waits: str,
    arguments: Sequence[str],
    plan: bool = False,
    recovers: bool = True,
) -> dict[str, Any]:
    """Judge whether the data is validated on every primary.

    :param judged: as ``data_judgement`` gives them, with ``recorded`` false if the ledger could not note it.
    :param waits: why validation is not due yet; empty if it is.
    :param recovers: as for the assessment; release.yml goes by what is recorded.
    """
    part, passed = Part(PRESERVE, ""), 0
    if waits or plan:
        part.kind = NOTHING
        part.lines += [f"Not validated: {one_line(waits)}"] if waits and not plan else []
        return part.as_result()
    for name, answer in together(names, judged):
        if "passed" not in answer:
            part.bad.append(f"the data on {name} is not validated")
            part.lines.append(why_line(f"{name}: data NOT VALIDATED", answer))
            continue
        if answer["why"]:
            part.bad.append(f"the data on {name} is not sound: {'; '.join(answer['why'][:SHOWN])}")
        if answer["unmeasured"]:
            part.bad.append(f"the data on {name} is not validated: {'; '.join(answer['unmeasured'][:SHOWN])}")
        if answer["passed"] and answer.get("recorded"):
            passed += 1
        elif answer["passed"]:
            part.bad.append(f"that the data on {name} is sound could not be recorded")
        part.lines += [f"{name}: {line}" for line in _data_lines(answer)]
    if not passed and not part.bad:
        part.bad.append("no data was validated, for no primary answered")
    part.good = "the data is validated"
    if not part.bad:
        part.next += ["Next: give writes back, so that people work on V1 again:", command_of("release", arguments)]
    return part.as_result() if recovers else said(part)


# What became of the rows of a table, in the words of the last screen.
_BECAME = {
    "quarantined": "in quarantine",
    "restored": "brought back",
    "new": "new",
    "changed": "CHANGED past the fence",
    "gone": "GONE",
}


def _number(value: int | None) -> str:
    return "an unknown number of" if value is None else f"{value:,}"


def _data_lines(answer: Answer) -> Iterator[str]:
    for table in answer["tables"]:
        then, now = (_number(table.get(name)) for name in ("rows_then", "rows_now"))
        told = [f"{table[figure]:,} {word}" for figure, word in _BECAME.items() if table.get(figure)]
        name = one_line(table["name"])
        yield f"{name}: {then} rows in the dump, {now} now" + (f": {', '.join(told)}" if told else "")
        for row in table.get("samples", []):
            yield f"{name}: {one_line(row['what'])}: {sample_line(row['key'] or {})}"
    if answer["writes"] is not None:
        yield f"{answer['writes']:,} writes were accepted since the fence"
    if answer["checked"]:
        found = f", {len(answer['counts'])} found rows" if answer["counts"] else ", all at zero"
        yield f"{answer['checked']} checks counted{found}"
    else:
        yield "no check was counted"
    yield from (f"noted: {text}" for text in answer["noted"])
    yield from (f"NOT SOUND: {text}" for text in answer["why"])
    yield from (f"data NOT VALIDATED: {text}" for text in answer["unmeasured"])
