# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that a reader of the documentation types, and what each does whatever the reader fills in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools import surveys

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "roles" / "profile" / "meta" / "argument_specs.yml"
# Code inside a sentence that begins like this is a command as well if something follows.
_INLINE = re.compile(
    r"(?:ansible-playbook|make|ansible-galaxy|ansible-doc|python -m|amtool|apt|journalctl|openssl|podman) (?!…$)\S"
)
_FENCED = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SHELLS = ("shell", "sh", "bash", "console")
# Four spaces (more in a list item) make a block only below an empty line; elsewhere they continue an item.
_INDENTED = re.compile(r"(?<=\n\n) {4,}\S.*\n(?: {4,}\S.*\n)*")
# Variables set for one command.
_SET = r"(?:[A-Z_]+=(?:'[^']*'|\S+) )*"
_PROGRAM = re.compile(
    _SET + r"(?:[\w.~$/{}-]*/)?(?:ansible(?:-\w+)?|make|molecule|python3?|pip|psql|redis-cli|jq|sed|cp|mkdir|curl"
    r"|prometheus-postgres-exporter) "
)
ANY = "…"
# What a reader fills in: <hash>, …, a number, an address, an incident's id, a path, a module's name, a quoted text.
_FILLED = re.compile(r"^(?:<.*>|…|\d+|\S+:\d+|INC-[\w-]+|.*/.*|.*\*.*|chatia\.kanban_rollback\.[\w<>]+|\".*\"|'.*')$")
_VALUE_FOLLOWS = ("-i", "--inventory", "-e", "--extra-vars", "-f", "--forks", "-l", "--limit", "-t", "--tags", "-u")
# As with an inventory, where and as whom something is done does not change what is done.
_WHERE = re.compile(r"kanban_(?:postgresql|redis)_(?:host|port|db|user|password|unix_socket)")
# The keys of a map that decide what is done; the place and the kind of a backup are the reader's.
_KINDS = ("what",)


def documents(root: Path = ROOT) -> list[Path]:
    """Return every file of documentation that has commands."""
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]


def commands_of(text: str) -> Iterator[str]:
    """Yield the commands of a document as written, one per line."""
    for language, block in _FENCED.findall(text):
        if language in _SHELLS:
            yield from _lines(block)
    rest = _FENCED.sub("", text)
    for block in _INDENTED.findall(rest):
        yield from (line for line in _lines(block) if _PROGRAM.match(line))
    for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", _INDENTED.sub("", rest)):
        line = " ".join(code.split())
        if _INLINE.match(line):
            yield line


def _lines(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        # What follows # is for the reader.
        bare = " ".join(re.sub(r"(?:^|\s)#.*", "", line).split())
        # A line that only sets something for later lines is not a command.
        if bare and not bare.startswith(("export ", "cd ")):
            yield bare


@dataclass(frozen=True)
class Play:
    """A call of ansible-playbook: which playbook, with which options, and with which variables."""

    name: str
    flags: frozenset[str] = frozenset()
    variables: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, wanted: Play) -> bool:
        """Tell whether it does what is wanted, and agrees on ``--check``; it may say more."""
        if self.name != wanted.name or (self.flags ^ wanted.flags) & {"--check"} or wanted.flags - self.flags:
            return False
        given = {name: _value(name, value) for name, value in self.variables.items()}
        return all(
            (name in given and value in (ANY, given[name])) or value == _defaults().get(name)
            for name, value in wanted.variables.items()
        )


def form(line: str) -> str:
    """Return what a documented command does, in a uniform notation and without what a reader fills in."""
    if play := play_of(shlex.split(line), ROOT, filled=True):
        told = [f"-e {name}={value}" for name, value in sorted(play.variables.items())]
        return " ".join(["ansible-playbook", play.name, *sorted(play.flags), *told])
    line = re.sub(f"^{_SET}", "", line)
    words = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", line)
    return " ".join([words[0].rpartition("/")[2], *(ANY if _FILLED.match(word) else word for word in words[1:])])


def wanted(text: str) -> Play | None:
    """Return the call that a form stands for; None if it is not of a playbook."""
    words = text.split(" -e ")
    head = words[0].split()
    if head[0] != "ansible-playbook":
        return None
    return Play(head[1], frozenset(head[2:]), dict(word.split("=", 1) for word in words[1:]))


def play_of(argv: Sequence[str], cwd: Path, *, filled: bool = False) -> Play | None:
    """Return the playbook call that a command line makes; None if it makes none.

    :param filled: whether it is a documented one, whose values the reader fills in.
    """
    start = next((at for at, word in enumerate(argv[:6]) if word.rpartition("/")[2] == "ansible-playbook"), None)
    if start is None:
        return None
    flags, variables, names, words = set(), {}, [], iter(argv[start + 1 :])
    for word in words:
        if word in _VALUE_FOLLOWS:
            value = next(words, "")
            if word in ("-e", "--extra-vars"):
                variables.update(_given(value, cwd))
            elif word in ("-i", "--inventory"):
                variables = {**({} if filled else _of_inventory(cwd / value)), **variables}
            else:
                flags.add(word)
        elif word.startswith("-"):
            flags.add(word)
        elif word != ANY:
            names.append(re.sub(r"^chatia\.kanban_rollback\.|^.*/|\.yml$", "", word))
    if len(names) != 1:
        return None
    if filled:
        named = {name: value for name, value in variables.items() if not _WHERE.fullmatch(name)}
        variables = {name: _value(name, value, filled=True) for name, value in named.items()}
    return Play("…" if names[0].startswith("<") else names[0], frozenset(flags), variables)


def _given(text: str, cwd: Path) -> dict[str, Any]:
    """Return extra variables as Ansible reads them: a file, a map, or words of name=value."""
    if text.startswith("@"):
        path = cwd / text[1:]
        return _loaded(path.read_text()) if path.is_file() else {}
    if text.startswith("{"):
        return _loaded(text)
    return dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)


def _of_inventory(path: Path) -> dict[str, Any]:
    """Return the variables of group ``all`` in a single-file inventory, as tests write it."""
    if path.suffix not in (".json", ".yml") or not path.is_file():
        return {}
    return dict(_loaded(path.read_text()).get("all", {}).get("vars") or {})


def _loaded(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = surveys.loaded(text)
    return found if isinstance(found, dict) else {}


def _value(name: str, value: Any, *, filled: bool = False) -> str:
    """Return a value by what it decides: one of the option's choices is itself, anything else is the reader's."""
    if isinstance(value, Mapping):
        kinds = {key: value[key] for key in _KINDS if key in value}
        return "{" + ",".join(f"{key}:{kind}" for key, kind in kinds.items()).replace(" ", "").replace("'", "") + "}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if not filled or text in _choices().get(name, ()) else ANY


@cache
def _defaults() -> Mapping[str, str]:
    """Return the profile's defaults, only those that are one word."""
    found = yaml.safe_load((ROOT / "roles" / "kanban" / "defaults" / "main.yml").read_text())
    return {name: value for name, value in found.items() if isinstance(value, str) and value.isidentifier()}


@cache
def _choices() -> Mapping[str, tuple[str, ...]]:
    options = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
    known = {name: tuple(map(str, spec["choices"])) for name, spec in options.items() if "choices" in spec}
    # This word says that there are no hosts of a kind.
    known |= dict.fromkeys(("kanban_redis_hosts", "kanban_app_hosts"), ("none",))
    return {**{name: ("true", "false") for name, spec in options.items() if spec.get("type") == "bool"}, **known}
