# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's own words about an incident, which no figure can replace. Pure: neither Ansible nor a driver.

They are in ``words.md`` in the incident's directory, below headings in one of the languages. The file is created once
and never overwritten; messages and the post-mortem quote it as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Mapping

LARGEST_FILE = 262144
LONGEST_SECTION = 10000
# What people say, by its name in templates, with its heading in each language. The order is the file's.
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "detected_at": {"en": "Detected at", "pt_BR": "Detectado em"},
    "what_happened": {"en": "What happened", "pt_BR": "O que aconteceu"},
    "root_cause": {"en": "Root cause", "pt_BR": "Causa raiz"},
    "eta": {"en": "Full resolution expected", "pt_BR": "Previsão de resolução completa"},
    "next_steps": {"en": "Next steps", "pt_BR": "Próximos passos"},
    "prevention": {"en": "What we do to prevent this", "pt_BR": "O que fazemos para evitar que se repita"},
    "went_well": {"en": "What went well", "pt_BR": "O que funcionou bem"},
    "improve": {"en": "What could be improved", "pt_BR": "O que pode melhorar"},
    "action_items": {"en": "Action items", "pt_BR": "Ações"},
}
_ABOUT = {
    "en": "Your own words. Messages and the post-mortem quote what stands below a heading; no run writes over this\n"
    "file. Leave empty what you do not know. A moment has date, time and zone:\n"
    "`2026-12-01 03:04 -03:00`. Action items, one on a line:\n"
    "`- Add an index - Owner: Ana - Due: 2026-12-01`.",
    "pt_BR": "Suas próprias palavras. As mensagens e o post-mortem citam o que está abaixo de cada título; nenhuma\n"
    "execução sobrescreve este arquivo. Deixe vazio o que não souber. Um momento tem data, hora e fuso:\n"
    "`2026-12-01 03:04 -03:00`. Ações, uma por linha:\n"
    "`- Criar um índice - Owner: Ana - Due: 2026-12-01`.",
}
_HEADING = re.compile(r"^##\s+(.+?)\s*#*$")
_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
_NAMES = {text.casefold(): name for name, texts in HEADINGS.items() for text in texts.values()}


@dataclass(frozen=True)
class Words:
    """What people wrote.

    ``said``: text by the names of ``HEADINGS``, only where there is some. ``unknown``: headings that are not ours.
    ``cut``: names whose text is longer than ``LONGEST_SECTION`` characters and was cut there.
    """

    said: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()


def words_file(locale: str) -> str:
    """Return the file as people find it: the headings of a language, English if there is no other."""
    language = locale if locale in _ABOUT else "en"
    sections = [f"## {texts[language]}\n" for texts in HEADINGS.values()]
    return "\n".join([f"<!-- {_ABOUT[language]} -->\n", *sections])


def is_untouched(text: str) -> bool:
    """Return whether the file is as it was created, in whatever language."""
    return text.split() in [words_file(language).split() for language in _ABOUT]


def read_words(text: str) -> Words:
    """Return what is below the headings, which may be in any of the languages; comments do not count as words."""
    found: dict[str, list[str]] = {}
    unknown: list[str] = []
    lines: list[str] | None = None
    for line in _COMMENT.sub("", text[:LARGEST_FILE]).splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            if lines is not None:
                lines.append(line)
            continue
        name = _NAMES.get(heading[1].casefold())
        if name is None:
            unknown.append(heading[1][:100])
            lines = None
        else:
            lines = found.setdefault(name, [])
    whole = {name: "\n".join(parts).strip() for name, parts in found.items()}
    return Words(
        {name: said[:LONGEST_SECTION] for name, said in whole.items() if said},
        tuple(unknown),
        tuple(name for name, said in whole.items() if len(said) > LONGEST_SECTION),
    )
