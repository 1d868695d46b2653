# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that we write and people edit: blocks between markers are renewed, people's changes are kept. Pure.

A marker has the hash of what was written between it and its end. A block that still has that hash was not changed
and is renewed. Ticking a box is not a change: it stays ticked, and later evidence is noted beside it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Mapping, Sequence

_FILE = re.compile(r"^<!-- kanban:file blocks=([a-z0-9_,-]*) -->$")
_BEGIN = re.compile(
    r"^<!-- kanban:begin ([a-z0-9_-]+) made=([0-9a-f]{16})"
    r"(?: offered=([0-9a-f]{16}))?(?: boxes=([a-z0-9_,+*!-]*))? -->$"
)
_END = re.compile(r"^<!-- kanban:end ([a-z0-9_-]+) -->$")
_ANY = re.compile(r"^<!-- kanban:")
_BOX = re.compile(r"^- \[([ xX])\] ")
NEWER = "-newer"
# How a box was left: ticked by evidence, open, ticked by hand, unticked by hand although there is evidence.
TICKED, OPEN, BY_HAND, NOT_BY_HAND = "+", "-", "*", "!"


class BrokenMarkers(Exception):
    """The markers of a file no longer fit together."""


@dataclass(frozen=True)
class Block:
    """A part of a file that we write: its name, its lines, and the names of its boxes in order."""

    name: str
    lines: Sequence[str]
    boxes: Sequence[str] = ()


@dataclass
class _Kept:
    """A block as it stands in the file."""

    name: str
    made: str
    offered: str
    boxes: dict[str, str]
    lines: list[str] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        return _hash(self.lines) == self.made


def merged(blocks: Sequence[Block], text: str | None, by_hand: str, not_by_hand: str, newer: str) -> str:
    """Return the file with its blocks renewed; raises BrokenMarkers.

    :param text: the file as it is; None if there is none.
    :param by_hand: the note beside a box that a person ticked; ``not_by_hand``: beside one that a person unticked.
    :param newer: the line before what we would write in place of a block that people changed.
    """
    if text is None or not text.strip():
        names = ",".join(block.name for block in blocks)
        lines = [f"<!-- kanban:file blocks={names} -->"]
        for block in blocks:
            lines += [*_written(block, _boxes_of(block)), ""]
        return "\n".join(lines)
    parts, known = _parsed(text)
    merger = _Merger(blocks, by_hand, not_by_hand, newer)
    return merger.merge(parts, known)


class _Merger:
    def __init__(self, blocks: Sequence[Block], by_hand: str, not_by_hand: str, newer: str) -> None:
        self._blocks = {block.name: block for block in blocks}
        self._by_hand, self._not_by_hand, self._newer = by_hand, not_by_hand, newer

    def merge(self, parts: Sequence[str | _Kept], known: Sequence[str]) -> str:
        there = {part.name: part for part in parts if isinstance(part, _Kept)}
        lines: list[str] = []
        for part in parts:
            if isinstance(part, str):
                lines.append(part)
            elif part.name.endswith(NEWER):
                lines += self._offer_again(part, there)
            else:
                lines += self._block(part, there)
        # Blocks that people removed stay out; blocks that are new in this version are added at the end.
        for name, block in self._blocks.items():
            if name not in there and name not in known:
                lines += ["", *_written(block, _boxes_of(block)), ""]
        names = ",".join(dict.fromkeys([*known, *self._blocks]))
        head = f"<!-- kanban:file blocks={names} -->"
        places = [place for place, line in enumerate(lines) if _FILE.match(line)]
        if places:
            lines[places[0]] = head
        else:
            lines.insert(0, head)
        return "\n".join(lines)

    def _block(self, kept: _Kept, there: Mapping[str, _Kept]) -> list[str]:
        block = self._blocks.get(kept.name)
        if block is None:
            return _raw(kept)
        if kept.is_ours:
            return _written(*self._ticked(block, kept))
        offered = _hash(block.lines)
        if offered in (kept.made, kept.offered) or _hash(kept.lines) == offered:
            return _raw(kept)
        # Offer it only once: the offer is recorded, so a person may delete it.
        kept.offered = offered
        lines = _raw(kept)
        if f"{kept.name}{NEWER}" not in there:
            lines += ["", *self._offer(block)]
        return lines

    def _offer(self, block: Block) -> list[str]:
        lines = [f"> {self._newer}", "", *block.lines]
        return _written(Block(f"{block.name}{NEWER}", lines), {})

    def _offer_again(self, kept: _Kept, there: Mapping[str, _Kept]) -> list[str]:
        block = self._blocks.get(kept.name[: -len(NEWER)])
        edited = there.get(kept.name[: -len(NEWER)])
        if block is None or not kept.is_ours:
            return _raw(kept)
        if edited is not None and edited.is_ours:
            # The person has reverted their change, so there is nothing to offer.
            return []
        return self._offer(block)

    def _ticked(self, block: Block, kept: _Kept) -> tuple[Block, dict[str, str]]:
        """Return the block with the boxes as people left them."""
        seen = dict(zip(kept.boxes, [_BOX.match(line) for line in kept.lines if _BOX.match(line)]))
        # A box without a name is the same one as long as its text is the same.
        ticked_lines = {line[6:].rstrip() for line in kept.lines if _BOX.match(line) and line[3] != " "}
        states, lines, names = {}, [], iter(block.boxes)
        for line in block.lines:
            box = _BOX.match(line)
            name = next(names, None) if box else None
            if box is None or name is None:
                lines.append(f"- [x] {line[6:]}" if box and line[6:].rstrip() in ticked_lines else line)
                continue
            now = TICKED if box[1] != " " else OPEN
            found, was = seen.get(name), kept.boxes.get(name)
            ticked = found is not None and found[1] != " "
            if found is not None and was in (OPEN, BY_HAND) and ticked and now == OPEN:
                now = BY_HAND
            elif found is not None and was in (TICKED, NOT_BY_HAND) and not ticked and now == TICKED:
                now = NOT_BY_HAND
            rest = line[box.end() :]
            by_people = {BY_HAND: f"- [x] {rest} ({self._by_hand})", NOT_BY_HAND: f"- [ ] {rest} ({self._not_by_hand})"}
            lines.append(by_people.get(now, line))
            states[name] = now
        return Block(block.name, lines, block.boxes), states


def has_own_words(text: str) -> bool:
    """Return whether people wrote, ticked or removed anything in one of our files."""
    try:
        parts, known = _parsed(text)
    except BrokenMarkers:
        return True
    kept = [part for part in parts if isinstance(part, _Kept)]
    loose = any(part.strip() and not _FILE.match(part) for part in parts if isinstance(part, str))
    return loose or bool(set(known) - {block.name for block in kept}) or any(map(_is_theirs, kept))


def _is_theirs(kept: _Kept) -> bool:
    boxes = [match for match in map(_BOX.match, kept.lines) if match]
    # We write a box without a name as open.
    states = [*kept.boxes.values(), *[OPEN] * len(boxes)]
    hands = any(state in (BY_HAND, NOT_BY_HAND) for state in kept.boxes.values())
    return not kept.is_ours or hands or any((box[1] != " ") != (state == TICKED) for box, state in zip(boxes, states))


def _boxes_of(block: Block) -> dict[str, str]:
    boxes = [match for match in map(_BOX.match, block.lines) if match]
    return {name: TICKED if box[1] != " " else OPEN for name, box in zip(block.boxes, boxes)}


def _written(block: Block, boxes: Mapping[str, str]) -> list[str]:
    told = f" boxes={','.join(name + state for name, state in boxes.items())}" if boxes else ""
    begin = f"<!-- kanban:begin {block.name} made={_hash(block.lines)}{told} -->"
    return [begin, *block.lines, f"<!-- kanban:end {block.name} -->"]


def _raw(kept: _Kept) -> list[str]:
    offered = f" offered={kept.offered}" if kept.offered else ""
    told = f" boxes={','.join(name + state for name, state in kept.boxes.items())}" if kept.boxes else ""
    begin = f"<!-- kanban:begin {kept.name} made={kept.made}{offered}{told} -->"
    return [begin, *kept.lines, f"<!-- kanban:end {kept.name} -->"]


def _hash(lines: Sequence[str]) -> str:
    """Return the hash of a block's text, regardless of ticked boxes and line endings."""
    text = "\n".join(_BOX.sub("- [ ] ", line.rstrip()) for line in lines)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _parsed(text: str) -> tuple[list[str | _Kept], list[str]]:
    """Return lines and blocks in order, and the names of all blocks ever written; raises BrokenMarkers."""
    parts: list[str | _Kept] = []
    known: list[str] = []
    names: set[str] = set()
    current: _Kept | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        begin, end, head = _BEGIN.match(line.strip()), _END.match(line.strip()), _FILE.match(line.strip())
        if begin and current is None and begin[1] not in names:
            boxes = {entry[:-1]: entry[-1] for entry in (begin[4] or "").split(",") if entry}
            current = _Kept(begin[1], begin[2], begin[3] or "", boxes)
            names.add(begin[1])
        elif end and current is not None and end[1] == current.name:
            parts.append(current)
            current = None
        elif head and current is None:
            known = [name for name in head[1].split(",") if name]
            parts.append(line.strip())
        elif _ANY.match(line.strip()):
            raise BrokenMarkers(line.strip()[:100])
        elif current is not None:
            current.lines.append(line)
        else:
            parts.append(line)
    if current is not None:
        raise BrokenMarkers(f"{current.name} has no end")
    return parts, known
