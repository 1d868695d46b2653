# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to a status page, given what is there: plans, memory and texts, without any page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _statuspagetext as texts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspage import (
    Component,
    Incident,
    NotThePage,
    component_from,
    digest,
    incident_from,
    listed,
    memory_of,
    ours,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageplan import (
    Plan,
    Seen,
    Wish,
    chosen,
    plan,
)

UP, DOWN = "operational", "under_maintenance"
KANBAN, CHAT = Component("k", "Kanban", UP), Component("c", "Chat", UP)
WISH = Wish(incident="INC-1", name="Closed", status="identified", body="Words", component_status=DOWN)


def opened(wish: Wish, *components: Component) -> Seen:
    """Return what is there once a page has carried out the plan, from components as they were before."""
    (step,) = plan(wish, Seen(components)).steps
    return after(Seen(components), plan(wish, Seen(components)), Incident("i", "Closed", str(step.fields["status"])))


def after(seen: Seen, planned: Plan, incident: Incident) -> Seen:
    for step in planned.steps:
        incident = replace(
            incident,
            metadata=step.fields.get("metadata", incident.metadata),
            status=step.fields.get("status", incident.status),
            components=step.fields.get("component_ids", incident.components),
        )
    changed = [replace(one, status=planned.targets.get(one.id, one.status)) for one in seen.components]
    return Seen(changed, incident)


def test_one_request_opens_tells_changes_and_remembers() -> None:
    (step,) = plan(WISH, Seen([KANBAN])).steps
    assert (step.what, step.target, step.harmless) == ("open", None, False)
    assert step.fields == {
        "name": "Closed", "status": "identified", "body": "Words", "deliver_notifications": True,
        "components": {"k": DOWN}, "component_ids": ["k"],
        "metadata": {
            "kanban_rollback": {"incident": "INC-1"}, "kanban_rollback_before": {"k": UP},
            "kanban_rollback_set": {"k": DOWN}, "kanban_rollback_posted": {digest("identified", "Words"): "identified"},
        },
    }  # fmt: skip
    # The API's rule for metadata.
    assert all(isinstance(value, dict) for value in step.fields["metadata"].values())
    assert plan(replace(WISH, status=None), Seen()).steps[0].fields["status"] == "investigating"
    with pytest.raises(BadInput) as refused:
        plan(replace(WISH, name=None), Seen())
    assert refused.value.code == "no_name"


def test_what_was_done_is_not_done_again_whatever_came_between() -> None:
    seen = opened(WISH, KANBAN)
    assert plan(WISH, seen).steps == []
    other = replace(WISH, body="Other words", component_status="major_outage")
    (step,) = plan(other, seen).steps
    assert (step.what, step.target, step.fields["components"]) == ("update", "i", {"k": "major_outage"})
    assert "name" not in step.fields
    seen = after(seen, plan(other, seen), seen.incident or Incident("", "", ""))
    # The first state is the one from before; the earlier words are still known.
    assert memory_of(seen.incident, "INC-1").before == {"k": UP}
    assert plan(replace(WISH, component_status=None), seen).steps == []
    assert plan(replace(WISH, body=None, status=None, component_status=None), seen).steps == []


def test_what_others_keep_with_the_incident_stays() -> None:
    incident = Incident("i", "n", "identified", metadata={"jira": {"id": "7"}}, components=("theirs",))
    (step,) = plan(WISH, Seen([KANBAN], incident)).steps
    assert step.fields["metadata"]["jira"] == {"id": "7"}
    assert step.fields["component_ids"] == ["theirs", "k"]
    assert "component_ids" not in plan(WISH, Seen([KANBAN], replace(incident, components=("k",)))).steps[0].fields


def test_a_component_without_words_is_remembered_first() -> None:
    seen = opened(WISH, KANBAN)
    steps = plan(replace(WISH, component_status="partial_outage"), replace(seen, components=[CHAT])).steps
    assert [(step.what, step.target, step.harmless) for step in steps] == [
        ("remember", "i", True),
        ("component", "c", True),
    ]
    assert steps[0].fields["metadata"]["kanban_rollback_before"] == {"k": UP, "c": UP}
    assert not {"body", "status"} & set(steps[0].fields)
    assert steps[0].fields["deliver_notifications"] is False
    (alone,) = plan(Wish(component_status=DOWN), Seen([CHAT])).steps
    assert (alone.what, alone.fields) == ("component", {"status": DOWN})


def test_prior_goes_back_only_where_nobody_changed_it_since() -> None:
    seen = opened(WISH, KANBAN, replace(CHAT, status="partial_outage"))
    over = Wish(incident="INC-1", resolved=True, body="Over", component_status="prior")
    (step,) = plan(over, seen).steps
    assert (step.what, step.fields["components"]) == ("resolve", {"k": UP, "c": "partial_outage"})
    gone = after(seen, plan(over, seen), seen.incident or Incident("", "", ""))
    assert plan(over, gone) == Plan([], [], {})
    theirs = replace(seen, components=[replace(KANBAN, status="major_outage"), *seen.components[1:]])
    changed = plan(over, theirs)
    assert changed.targets == {"c": "partial_outage"}
    assert changed.warnings == ["Component Kanban is left major_outage: somebody has changed it since."]
    assert "no change of it is remembered" in plan(over, Seen([KANBAN])).warnings[0]


def test_after_its_end_an_incident_is_left_alone() -> None:
    seen = opened(WISH, KANBAN)
    assert seen.incident
    for status in ("resolved", "postmortem"):
        end = Seen([KANBAN], replace(seen.incident, status=status))
        assert plan(WISH, end).steps == []
        assert "components are left" in plan(WISH, end).warnings[0]
        assert plan(Wish(incident="INC-1", resolved=True, body="Once more"), end).steps == []
        with pytest.raises(KanbanError) as refused:
            plan(replace(WISH, body="News"), end)
        assert refused.value.code == "incident_resolved"
    assert plan(Wish(incident="INC-1", resolved=True), Seen()).steps == []


def test_ours_is_what_carries_our_id_the_open_and_the_oldest_first() -> None:
    def one(id: str, created: str, status: str = "identified", owner: Any = "INC-1") -> Incident:
        return Incident(id, "INC-1", status, created=created, metadata={"kanban_rollback": {"incident": owner}})

    found = [one("b", "2"), one("a", "1", "resolved"), one("c", "1"), one("x", "0", owner="INC-10"), one("b", "2")]
    found += [Incident("y", "INC-1", "identified"), Incident("z", "", "", metadata={"kanban_rollback": "INC-1"})]
    assert [incident.id for incident in ours(found, "INC-1")] == ["c", "b", "a"]


def test_components_are_chosen_by_id_before_name_and_never_a_group() -> None:
    there = [KANBAN, Component("x", "k", UP), Component("g", "Kanban", UP, group=True), CHAT, replace(CHAT, id="d")]
    assert chosen(["k", "Kanban"], there) == [KANBAN]
    for code, name in (("unknown_component", "<nobody>"), ("ambiguous_component", "Chat"), ("component_group", "g")):
        with pytest.raises(BadInput) as refused:
            chosen([name], there)
        assert refused.value.code == code
        assert "<" not in str(refused.value)


def test_answers_that_are_no_page() -> None:
    whole = {"id": "i1", "name": "n", "status": "identified", "components": [{"id": "k"}], "metadata": None}
    assert incident_from(whole) == Incident("i1", "n", "identified", components=("k",))
    odd_ones: list[Any] = [None, [], {}, {**whole, "id": "a/../b"}, {**whole, "name": 7}, {**whole, "components": [7]}]
    for odd in odd_ones:
        with pytest.raises(NotThePage):
            incident_from(odd)
    with pytest.raises(NotThePage):
        component_from({"id": "i", "name": "n"})
    with pytest.raises(NotThePage):
        listed({"error": "x"})


def test_texts_are_shown_to_the_letter_and_never_do_anything() -> None:
    assert texts.body_of(" a\r\nb <b>&amp;</b> {{ 1 }}\x1b[2J\u202e👩‍💻 ") == (
        "a\nb &lt;b&gt;&amp;amp;&lt;/b&gt; {{ 1 }}�[2J�👩‍💻"
    )
    assert texts.name_of("a\n<b>\x00 & b") == "a ‹b›� & b"
    assert len(texts.body_of("ç" * 25_000)) == 25_000
    for code, wrong in (("body_too_long", "&" * 5001), ("empty_body", "\n ")):
        with pytest.raises(BadInput) as refused:
            texts.body_of(wrong)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"error": ["Name <b>is</b>\\r\\nbad", "and so on"]}', "Name ‹b›is‹/b› bad; and so on"),
        (b'{"message": "no"}', "no"),
        (b"<html>", "–"),
        (b'{"error": {"a": 1}}', "–"),
        (json.dumps({"error": "x" * 9999}).encode(), "x" * 300 + "…"),
    ],
)
def test_what_the_api_says_is_one_bounded_line(answer: bytes, said: str) -> None:
    assert texts.told(answer) == said
    assert texts.some(list("abcdefghijkl")).endswith(" and 2 more")
