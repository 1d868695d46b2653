# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No message, in either language, tells people of a stop or of a check that was not made."""

from __future__ import annotations

from collections import ChainMap
from pathlib import Path
from typing import Any

import jinja2
import pytest

from ansible_collections.chatia.kanban_rollback.plugins.filter.messages import FilterModule

TEMPLATES = Path(__file__).parents[2] / "roles" / "communicate" / "templates"
VALIDATED = "2026-11-25T01:00:00.000000Z"
# What each language says of a stop that is whole, of data that was checked, and of the feature that is on somewhere.
WORDS: dict[str, dict[str, list[str]]] = {
    "en": {
        "on": ["still on", "switching", "could NOT"],
        "stopped": ["have switched", "go on working with the previous", "work with Kanban V1"],
        "checked": ["was checked", "Validated data integrity", "Data validated", "had to be recovered", "solved"],
    },
    "pt_BR": {
        "on": ["ainda NÃO", "ainda está", "desligando", "sendo"],
        "stopped": ["desligamos o", "Nós o desligamos", "continuar trabalhando", "segue no Kanban V1"],
        "checked": ["foram verificados", "Validamos", "Dados validados", "foi necessário", "resolvido"],
    },
}
BOTH = pytest.mark.parametrize("locale", sorted(WORDS))


class Nothing(dict[str, Any]):
    """A map that has null for every name."""

    def __missing__(self, name: str) -> None:
        return None


def told(kind: str, locale: str, about: dict[str, Any], **facts: Any) -> str:
    """Return the text of a message as a run makes it; facts that are not given are null."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters.update(
        {f"chatia.kanban_rollback.{name}": one for name, one in FilterModule().filters().items()}
    )
    # What a run has that measured nothing.
    nothing = {name: Nothing() for name in ("companies", "users", "seconds", "integrity", "metrics", "moments")}
    figures: dict[str, Any] = {**nothing, "incident_id": "INC-1", "records": []}
    for name, values in facts.items():
        figures[name] = ChainMap(values, Nothing())
    whole = {"severity": "P0", "channel": "", "rows": None, "affected": None, "recovered_from": "", "refused": True}
    whole["off"] = about["verdict"] == "contained"
    template = environment.from_string((TEMPLATES / locale / f"{kind}.md.j2").read_text(encoding="utf-8"))
    return template.render(
        about={**whole, **about}, facts=figures, words=Nothing(), locale=locale, operator="ana", reason="",
        plan_hash="", environment="production", dashboard="",
    )  # fmt: skip


def said(text: str, locale: str, what: str) -> list[str]:
    return [words for words in WORDS[locale][what] if words in text]


@BOTH
@pytest.mark.parametrize("verdict", ["degraded", "failed"])
@pytest.mark.parametrize("scenario", ["scenario1", "scenario2", "scenario3"])
@pytest.mark.parametrize("kind", ["announce", "initial_oncall", "initial_stakeholders", "user_notice"])
def test_the_beginning_says_stopped_only_of_a_whole_stop(kind: str, scenario: str, verdict: str, locale: str) -> None:
    for refused in (True, False):
        about = {"scenario": scenario, "refused": refused}
        assert said(told(kind, locale, {**about, "verdict": verdict}), locale, "stopped") == []
        whole = told(kind, locale, {**about, "verdict": "contained"})
        assert whole != told(kind, locale, {**about, "verdict": verdict})
        if kind == "user_notice":
            assert said(whole, locale, "stopped")


@BOTH
@pytest.mark.parametrize("kind", ["announce", "initial_oncall", "initial_stakeholders", "user_notice"])
def test_nobody_is_told_that_v2_is_on_if_only_another_part_of_the_stop_is_missing(kind: str, locale: str) -> None:
    about = {"scenario": "scenario3", "verdict": "degraded", "refused": False}
    off, still = told(kind, locale, {**about, "off": True}), told(kind, locale, {**about, "off": False})
    assert off != still
    assert said(off, locale, "on") == []
    if kind == "initial_oncall":
        assert {"en": "NOT all", "pt_BR": "NEM toda"}[locale] in off


@BOTH
@pytest.mark.parametrize("kind", ["scenario3", "user_resolved"])
def test_the_end_says_checked_only_of_data_that_was_validated(kind: str, locale: str) -> None:
    for recovered in ("", "cleanup"):
        about = {"scenario": "scenario3", "verdict": "released", "recovered_from": recovered}
        # Somebody let the writes through without validation.
        unchecked = told(kind, locale, about, integrity={"before": 13})
        assert [words for words in said(unchecked, locale, "checked") if words not in ("solved", "resolvido")] == []
        if kind == "user_resolved":
            assert said(unchecked, locale, "checked") == []
        checked = told(kind, locale, about, integrity={"before": 13, "after": 0}, moments={"data_validated": VALIDATED})
        assert said(checked, locale, "checked")


@BOTH
def test_that_nothing_had_to_be_recovered_is_said_only_if_nothing_was_corrupt(locale: str) -> None:
    """The record of a repair may be lost, and rows that were corrupt are so no longer."""
    for before in (0, 5, None):
        about = {"scenario": "scenario3", "verdict": "released", "rows": 0 if before == 0 else None}
        counts = {"before": before, "after": 0}
        text = told("scenario3", locale, about, integrity=counts, moments={"data_validated": VALIDATED})
        denied = {"en": "had to be recovered", "pt_BR": "foi necessário"}[locale] in text
        assert denied is (before == 0)


@BOTH
def test_people_who_are_left_on_are_not_said_to_be_off(locale: str) -> None:
    letter = told("initial_stakeholders", locale, {"scenario": "scenario2", "verdict": "contained"})
    assert "Kanban V1" in letter
    assert "V2" in letter.partition({"en": "Impact", "pt_BR": "Impacto"}[locale])[2]


@BOTH
def test_no_word_of_a_gate_is_told(locale: str) -> None:
    for word in ("no_data", "unstable", "degraded"):
        about = {"scenario": "scenario2", "verdict": "contained", "normalised": None}
        assert word not in told("scenario2", locale, about, metrics={"verdict": word}).replace("Metrics: unstable", "")
