# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journals of a rehearsal, and what is kept of it when its hosts are gone."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from tests.hosts import files
from tests.rehearsal.estate import CHECKOUT, Estate
from tests.rehearsal.quarantine import kept, spoilt
from tests.rehearsal.timings import Timings, accepted_since_the_fence, parsed, table, timings_of

RECORDS = CHECKOUT / ".cache" / "rehearsals"


def journals(estate: Estate) -> list[Path]:
    """Return the journals of all runs, oldest first."""
    found = estate.incidents.glob("*/journal-*.jsonl")
    return sorted(found, key=lambda path: path.stat().st_mtime)


def read(path: Path) -> list[dict[str, Any]]:
    """Return a journal's lines."""
    return parsed(path.read_text(encoding="ascii"))


def stopped(estate: Estate) -> Timings:
    """Return the timings of the first run that stopped the feature. Raises AssertionError if none did."""
    for path in journals(estate):
        timings = timings_of(read(path))
        if timings is not None:
            return timings
    raise AssertionError(f"no journal of a stop below {estate.incidents}")


def plan(estate: Estate) -> dict[str, str]:
    """Return what the last run hands on to the approver of its plan: incident and hash."""
    exit_data = read(journals(estate)[-1])[-1]["data"]["exit"]
    return {name: exit_data[name] for name in ("kanban_incident_id", "kanban_plan_hash")}


def accepted(estate: Estate) -> list[int | None]:
    """Return all runs' measurements of the recovery point: writes since the fence; None if not measured."""
    found = [accepted_since_the_fence(read(path)) for path in journals(estate)]
    return [each for one in found for each in one]


def recovery_point(estate: Estate) -> list[str]:
    """Say how many writes were accepted after the fence, if the runs measured it; without a fence they do not."""
    found = accepted(estate)
    if not found:
        return []
    if None in found:
        return ["- Recovery point: NOT MEASURED"]
    return [f"- Recovery point: {max(each for each in found if each is not None)} writes accepted since the fence"]


def people(estate: Estate) -> list[str]:
    """Say what became of the writes acknowledged to people; nothing can be said yet of those still at work.

    Of cards and tags only the last value is compared, whatever came before it; messages are looked for one by one.
    """
    told = []
    for crowd in estate.crowds:
        if crowd.at_work:
            told.append(f"- People, {crowd.name}: not compared, they are at work")
            continue
        with contextlib.closing(estate.site.connect()) as session:
            report = crowd.verify(session)
            set_aside = spoilt(report, kept(session))
        messages = sum(thing.startswith("inbound ") for thing in report.missing)
        values = f"{report.checked} last values compared, {len(report.missing) - messages - len(set_aside)} missing"
        if report.unexpected:
            values += f", {len(report.unexpected)} tags there twice"
        if set_aside:
            values += f", {len(set_aside)} spoilt by the application and in the quarantine"
        inbound = (
            f"{report.messages} messages looked for, {messages} missing; "
            f"of all messages {len(crowd.refused_messages())} refused, {len(report.lost)} lost"
        )
        if unanswered := crowd.unanswered_messages():
            tries = "try" if len(unanswered) == 1 else "tries"
            inbound += f", {len(unanswered)} {tries} without success"
        told.append(f"- People, {crowd.name}: {report.acknowledged} writes acknowledged: {values}; {inbound}")
    return told


def keep(estate: Estate, name: str) -> list[str]:
    """Keep the record of a rehearsal outside its estate, and return it for people."""
    timings, told = stopped(estate), [*recovery_point(estate), *people(estate)]
    RECORDS.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write(RECORDS / f"{name}.json", json.dumps({**timings.as_record(), "findings": told}) + "\n")
    return [*table(timings), *told]
