# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of the errors that the collection can end with, read from the syntax of its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import (
    _dumpfailure,
    _redisreply,
    _sqlstate,
    _statuspageclient,
)

PLUGINS = Path(__file__).parents[2] / "plugins"
# The possible values of a code that is not written out where the error is made, by file and expression.
_LOOKED_UP: Mapping[tuple[str, str], set[str]] = {
    ("_dumpfailure", "code"): {cause[1] for cause in _dumpfailure._CAUSES},
    ("_sqlstate", "code"): {code for code, _why, _todo in _sqlstate._STATES.values()} | {"server_error"},
    ("_sqlstate", "TIMEOUTS[sqlstate]"): set(_sqlstate.TIMEOUTS.values()),
    ("_statuspageclient", "code"): {code for code, _what, _todo in _statuspageclient._REFUSED.values()} | {"refused"},
    ("_statuspagetext", "f'empty_{what}'"): {"empty_name", "empty_body"},
    ("_statuspagetext", "f'{what}_too_long'"): {"name_too_long", "body_too_long"},
    # A code that another error, or a reason of a plan, has already.
    ("_fenceproof", "str(codes.pop())"): set(),
    ("_repairplan", "str(first['code'])"): set(),
}
# The codes of errors whose class is looked up in a table itself.
_OF_REDIS = {
    code
    for _class, code, *_rest in (
        *_redisreply._WORDS.values(),
        *(entry for _words, entry in _redisreply._PHRASES),
        _redisreply._UNKNOWN,
    )
}


# A reason of a plan, and a verdict on a table, become errors when they are the one that counts.
_TAKES = {
    ("_errors", "KanbanError"): 0,
    ("_errors", "with_page"): 1,
    ("_repairplan", "refusal"): 0,
    ("_fenceproof", "Verdict"): 2,
}


@dataclass
class _File:
    """A file's calls with the function around each, its own functions and classes, and what it imports."""

    calls: list[tuple[ast.Call, ast.FunctionDef | None]] = field(default_factory=list)
    classes: list[ast.ClassDef] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)

    def read(self, node: ast.AST, inside: ast.FunctionDef | None, path: str) -> None:
        """Collect what lies below a node."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                self.origin.setdefault(child.name, path)
            elif isinstance(child, ast.ImportFrom) and child.module:
                self.origin.update({one.name: child.module.rpartition(".")[2] for one in child.names})
            if isinstance(child, ast.ClassDef):
                self.classes.append(child)
            elif isinstance(child, ast.Call):
                self.calls.append((child, inside))
            self.read(child, child if isinstance(child, ast.FunctionDef) else inside, path)


class Source:
    """The source of all plugins: what takes the code of an error, and which codes it is given."""

    def __init__(self, root: Path = PLUGINS) -> None:
        """Read all files, and repeat the search for what passes a code on until it finds nothing new."""
        self.files = {path.stem: _File() for path in sorted(root.rglob("*.py"))}
        for path in root.rglob("*.py"):
            self.files[path.stem].read(ast.parse(path.read_text()), None, path.stem)
        self.takes = dict(_TAKES)
        self.methods: set[str] = set()
        known = 0
        while known < len(self.takes):
            known = len(self.takes)
            for stem, file in self.files.items():
                self._inherited(stem, file)
                self._handed_on(stem, file)

    def codes(self) -> tuple[set[str], set[str]]:
        """Return all codes, and the places whose code cannot be determined."""
        found, unknown = set(_OF_REDIS), set()
        for stem, file in self.files.items():
            for given, inside in self._given(file):
                for one in (given.body, given.orelse) if isinstance(given, ast.IfExp) else (given,):
                    text = ast.unparse(one)
                    if isinstance(one, ast.Constant):
                        found |= {str(one.value)} if one.value else set()
                    elif (stem, text) in _LOOKED_UP:
                        found |= _LOOKED_UP[stem, text]
                    elif not text.endswith(".code") and not (inside and (stem, inside.name) in self.takes):
                        unknown.add(f"{stem}: {text}")
        return found, unknown

    def _inherited(self, stem: str, file: _File) -> None:
        for one in file.classes:
            if any((file.origin.get(name, ""), name) in self.takes for base in one.bases for name in _names(base)):
                self.takes.setdefault((stem, one.name), 0)

    def _handed_on(self, stem: str, file: _File) -> None:
        for given, inside in self._given(file):
            names = [one.arg for one in inside.args.args if one.arg != "self"] if inside else []
            if inside and ast.unparse(given) == "code" and "code" in names and inside.name != "__init__":
                self.takes.setdefault((stem, inside.name), names.index("code"))
                self.methods |= {inside.name} if len(names) < len(inside.args.args) else set()

    def _given(self, file: _File) -> Iterator[tuple[ast.expr, ast.FunctionDef | None]]:
        """Yield each expression in the place of a code, and the function around it."""
        for call, inside in file.calls:
            places = {self._place(file, call.func, name) for name in _names(call.func)}
            for place in [one for one in places if one is not None]:
                if len(call.args) > place:
                    yield call.args[place], inside
                else:
                    yield from ((keyword.value, inside) for keyword in call.keywords if keyword.arg == "code")

    def _place(self, file: _File, called: ast.expr, name: str) -> int | None:
        if isinstance(called, ast.Attribute):
            # Syntax does not say whose method it is, but no two of these have the same name.
            known = self.takes if name in self.methods else {}
            return next((at for (_stem, other), at in known.items() if other == name), None)
        return self.takes.get((file.origin.get(name, ""), name))


def _names(node: ast.expr) -> Iterator[str]:
    """Yield the names that a called expression may have: ``name``, ``x.name``, ``A if … else B``."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.IfExp):
        yield from _names(node.body)
        yield from _names(node.orelse)
