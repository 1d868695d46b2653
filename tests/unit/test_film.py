# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The film of README is short, plays by CSS alone, and names nothing of the machine that made it."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from tools.film import CAST, COPY, FILM, MAX_BYTES, complaints, from_where_it_begins

HEADER = json.dumps({"version": 2, "width": 100, "height": 30})


def cast(*events: tuple[float, str]) -> str:
    return "\n".join([HEADER, *(json.dumps([moment, "o", text]) for moment, text in events)]) + "\n"


def test_it_begins_when_the_servers_are_filled() -> None:
    whole = cast((1.0, "loading"), (8.5, "\r\nBEFORE\r\n"), (9.75, "x"))
    assert from_where_it_begins(whole) == cast((0.0, "\r\nBEFORE\r\n"), (1.25, "x"))
    assert from_where_it_begins(cast((1.0, "a"), (2.0, "b"))) == cast((0.0, "a"), (1.0, "b"))


def test_a_recording_that_is_long_or_names_the_machine_is_not_published() -> None:
    good = cast((0.0, "a"), (59.0, "b"))
    assert complaints(good, {"/home/ana"}) == []
    assert complaints(cast((0.0, "in /home/"), (1.0, "ana/x")), {"/home/ana"}) == ["it names /home/ana"]
    assert complaints(cast((61.2, "a")), ()) == ["it takes 61 s, of 60 at most"]
    assert complaints(HEADER + "\n", ()) == ["it takes 0 s, of 60 at most"]


def test_what_is_published_is_fit_for_it() -> None:
    recorded = CAST.read_text(encoding="utf-8")
    assert complaints(recorded, ()) == []
    assert "CONTAINED: " in recorded
    paths = re.findall(
        r"(?<![\w.])/(?:\w[\w.-]*/)+", "".join(json.loads(line)[2] for line in recorded.splitlines()[1:])
    )
    assert {path for path in paths if not path.startswith(f"{COPY}/")} == set()


def test_the_drawing_is_of_the_recording_and_has_no_script() -> None:
    drawn = FILM.read_text(encoding="utf-8")
    assert len(drawn.encode()) <= MAX_BYTES
    root = ElementTree.fromstring(drawn)  # noqa: S314
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    assert "@keyframes" in drawn
    assert "CONTAINED: Kanban V2 is off" in "".join(root.itertext()).replace("\xa0", " ")
