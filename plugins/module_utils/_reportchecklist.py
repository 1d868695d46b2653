# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's checklists: each box is ticked with its evidence, or open with the reason. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import HOUR, MINUTE, Case

_CHANNEL = re.compile(r"#incident-\d{8}-\d{4}")
# A backup is recent if it lacks less than this many seconds of data; the plan says an hour.
_RECENT = HOUR
_STABLE = 30 * MINUTE


@dataclass(frozen=True)
class Box:
    """One box: its short name, its text, whether it is ticked, and the evidence or why there is none."""

    name: str
    text: str
    ticked: bool
    why: str


@dataclass(frozen=True)
class Section:
    """Some boxes under a heading."""

    name: str
    heading: str
    boxes: Sequence[Box]


def checklists(case: Case) -> list[Section]:
    """Return the plan's lists with their boxes; boxes that only a person can judge stay open."""
    label, summary, at = case.label, case.summary, case.resolved_at
    boxes = _Boxes(case)
    found = [
        Section("pre", label("pre"), boxes.pre()),
        Section("during", label("during"), boxes.during()),
        Section("post", label("post"), boxes.post()),
        Section("hour", label("hour", due=case.later(at, 1)), boxes.hour()),
    ]
    if summary["scenario"] == "scenario3":
        found.append(Section("day", label("day", due=case.later(at, 24)), boxes.day()))
    return [*found, Section("meeting", label("meeting"), boxes.meeting())]


def undecided(case: Case) -> list[str]:
    """Return the texts of the boxes that are open."""
    return [box.text for section in checklists(case) for box in section.boxes if not box.ticked]


class _Boxes:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._say = case.label
        self._facts = case.summary
        self._is_p0 = str(case.summary["severity"]).startswith("P0")

    def _box(self, name: str, ticked: bool, why: str) -> Box:
        return Box(name, self._say(f"box_{name}"), ticked, why)

    def _person(self, name: str) -> Box:
        return self._box(name, False, self._say("person"))

    def _words(self, name: str, *said: str) -> Box:
        lacking = [self._case.heading(word) for word in said if word not in self._case.words.said]
        why = self._say("words_lack", headings=", ".join(lacking)) if lacking else self._say("by_words")
        return self._box(name, not lacking, why)

    def _told(self, name: str, *kinds: str) -> Box:
        """Return a box that is ticked if a message of one of these kinds was sent."""
        why = self._say("no_such_message")
        for message, route in self._case.routes():
            kind = str(message.get("kind") or "")
            if kind not in kinds:
                continue
            key, where = str(message.get("key") or kind), str(route.get("route") or "")
            if route.get("status") == "sent":
                return self._box(name, True, self._say("by_message", key=key, route=where))
            dry = route.get("status") == "dry_run"
            why = self._say("by_dry_run", key=key) if dry else self._say("by_failed", key=key, route=where)
        return self._box(name, False, why)

    def _looked(self, name: str, well: bool | None) -> Box:
        word = {True: "by_journal", False: "not_well", None: f"lack_{name}"}[well]
        return self._box(name, well is True, self._say(word))

    def _report(self, name: str) -> Box:
        return self._box(name, bool(self._facts["timeline"]), self._say("by_file"))

    def _users(self, name: str) -> Box:
        if self._facts["scenario"] and not self._is_p0:
            return self._box(name, True, self._say("not_needed", severity=self._facts["severity"]))
        return self._told(name, "user_notice")

    def pre(self) -> list[Box]:
        facts, say = self._facts, self._say
        why = say("by_scenario", scenario=self._case.scenario(), severity=facts["severity"])
        severity = self._box("severity", bool(facts["severity"]), why if facts["severity"] else say("lack_severity"))
        return [
            severity,
            self._told("oncall", "initial_oncall"),
            self._channel(),
            self._told("stakeholders", "initial_stakeholders"),
            self._backup(),
        ]

    def _channel(self) -> Box:
        why = self._say("no_channel")
        for message, route in self._case.routes():
            found, key = _CHANNEL.search(str(route.get("route") or "")), str(message.get("key") or "")
            if found and route.get("status") == "sent":
                return self._box("channel", True, self._say("by_message", key=key, route=found[0]))
            if found and route.get("status") == "dry_run":
                why = self._say("by_dry_run", key=key)
        return self._box("channel", False, why)

    def _backup(self) -> Box:
        lost = self._facts["backup"]["lost_seconds"]
        if not number(lost):
            return self._box("backup", False, self._say("lack_backup"))
        return self._box("backup", lost < _RECENT, self._say("by_backup", lost=self._case.time(lost)))

    def during(self) -> list[Box]:
        looks, metrics = self._facts["looks"], self._facts["metrics"]
        return [
            self._flag(),
            self._looked("cache", looks["cache"]),
            self._looked("health", looks["health"] if looks["health"] is not None else looks["walk"]),
            self._looked("errors", None if metrics["verdict"] is None else True),
            self._users("users"),
        ]

    def _flag(self) -> Box:
        facts, count, say = self._facts["companies"], self._case.count, self._say
        if not self._facts["moments"]["contained"]:
            return self._box("flag", False, say("not_contained"))
        if self._facts["scenario"] == "scenario2":
            return self._box("flag", True, say("by_list", off=count(facts["switched_off"])))
        why = say("by_flag", off=count(facts["switched_off"]), on=count(facts["on_after"]))
        return self._box("flag", facts["on_after"] == 0, why)

    def post(self) -> list[Box]:
        metrics = self._facts["metrics"]
        watched = metrics["watched_seconds"]
        well = metrics["verdict"] == "ok"
        if number(watched):
            text = self._say("by_watch", time=self._case.time(watched), verdict=metrics["verdict"])
            text = text if watched >= _STABLE else self._say("short_watch", time=self._case.time(watched))
        else:
            text = self._say("lack_stable")
        return [
            self._box("stable", bool(number(watched) and watched >= _STABLE and well), text),
            self._looked("metrics", None if metrics["verdict"] is None else well and metrics["settled"] is not False),
            self._report("timeline"),
            self._words("cause", "root_cause"),
            self._words("fix", "next_steps", "eta"),
            self._person("scheduled"),
        ]

    def hour(self) -> list[Box]:
        return [
            self._words("analysis", "root_cause"),
            self._report("report"),
            self._person("fixed"),
            self._person("meeting"),
            self._users("affected"),
        ]

    def day(self) -> list[Box]:
        facts = self._facts
        audited = facts["recovery_point"]["measured"] and facts["integrity"]["after"] is not None
        return [
            self._words("analysed", "root_cause"),
            self._report("detailed"),
            self._box("audit", audited, self._say("by_audit" if audited else "lack_audit")),
            self._person("regression"),
            self._person("review"),
            self._words("prevention", "prevention"),
            self._told("customers", "user_notice"),
        ]

    def meeting(self) -> list[Box]:
        case, at = self._case, self._case.resolved_at
        text = case.label("box_held", **{"from": case.later(at, 24), "to": case.later(at, 48)})
        items = action_items(case.words.said.get("action_items", ""))
        owned = bool(items) and all(item["owner"] and item["due"] for item in items)
        why = case.label("by_words") if owned else case.label("words_lack", headings=case.heading("action_items"))
        return [Box("held", text, False, self._say("person")), self._box("actions", owned, why)]


_OWNER = re.compile(r"\s+-\s+(?:owner|respons[áa]vel):\s*(.*?)(?=\s+-\s+\w+:|$)", re.IGNORECASE)
_DUE = re.compile(r"\s+-\s+(?:due|prazo):\s*(.*?)(?=\s+-\s+\w+:|$)", re.IGNORECASE)


def action_items(text: str) -> list[dict[str, Any]]:
    """Return action items as people wrote them, one per line, each with ``what``, ``owner``, ``due`` and ``done``."""
    found = []
    for line in text.splitlines():
        item = re.sub(r"^\s*[-*]\s*", "", line).strip()
        box = re.match(r"\[([ xX])\]\s*", item)
        item = item[box.end() :] if box else item
        if not item:
            continue
        owner, due = _OWNER.search(item), _DUE.search(item)
        cut = min([match.start() for match in (owner, due) if match] or [len(item)])
        found.append(
            {
                "what": item[:cut].strip(),
                "owner": owner[1].strip() if owner else "",
                "due": due[1].strip() if due else "",
                "done": bool(box and box[1] != " "),
            }
        )
    return found[:100]
