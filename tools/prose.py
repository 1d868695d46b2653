"""Name our own tics in what strangers read, each with the better word: `python -m tools.prose`.

A general checker of English does not know them: each is good English now and then, and too much in every paragraph.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from tools.gates import ROOT

# What is found, whatever its case, and what to write instead. This is the only list.
TICS: dict[str, str] = {
    r"mend(?:s|ed|ing)?": "fix, repair",
    r"to the letter": "exactly, byte for byte",
    r"holds": "works, is true, is in effect, locks, keeps, has",
    r"somebody(?:'s)?": "who it is: an operator, another session, a second person",
    r"(?:is|are|was|were|be|been) in (?:the|its|their) way": "is blocked by, prevents, conflicts with",
    r"(?:is|are|was|were|be|been) told(?! apart| from)": "is notified, is reported, gets a message",
    r"all the same": "anyway, still",
    r"by now": "already, since then",
    r"besides": "also",
    r"(?:lays?|laid) down": "installs, installed",
    r"(?:gives?|gave|given|giving) back": "restores, returns, re-enables, releases",
    r"tak(?:es?|en|ing) away|took away": "removes, deletes",
    r"at work": "is running, is active, is open",
    r"(?:be|been|is|was|were) had": "is available, could be read",
    r"passed over": "skipped",
    r"so many": "the number itself, or how many",
    r"(?:a|another|one more) look": "a check, reads",
    r"unwell": "broken, not healthy",
    r"one after the other": "one at a time, in order",
}
# A tic may be folded.
_FOUND = re.compile("|".join(rf"\b(?:{tic})\b" for tic in TICS).replace(" ", r"\s+"), re.IGNORECASE)
# What people type or read on a screen is quoted: its words are the code's.
_QUOTED = re.compile(
    r"^ *(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^ *(?P=fence)[`~]* *$"
    r"|(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)"
    r"|(?<=\n\n) {4,}\S[^\n]*\n(?: {4,}\S[^\n]*\n)*"
    r"|\]\([^)\s]*\)"
    r"|\b[CMOPV]\([^)]*\)",
    re.MULTILINE | re.DOTALL,
)
# A text and the line on which it begins.
Passage = tuple[int, str]
# Of the keys of documentation in YAML, those whose value is a sentence; of a list or task, its name.
_SENTENCES = {"short_description", "description", "notes", "details", "name"}
_DOCUMENTED = {"DOCUMENTATION", "RETURN", "EXAMPLES"}


def tics(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, words and better words for each tic in prose; code and quoted screens are left out."""
    prose = _QUOTED.sub(lambda quoted: re.sub(r"[^\n]", "`", quoted[0]), text)
    for found in _FOUND.finditer(prose):
        words = " ".join(found[0].split())
        better = next(better for tic, better in TICS.items() if re.match(rf"(?:{tic})$", words, re.IGNORECASE))
        yield prose.count("\n", 0, found.start()) + 1, words, better


def whole(text: str) -> Iterator[Passage]:
    """Yield a page of Markdown, or the template of a message, as it stands."""
    yield 1, text


def sentences(text: str, first: int = 1) -> Iterator[Passage]:
    """Yield descriptions and names of a YAML text, which begins on line `first` of its file."""
    nodes = [(yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), False)]
    while nodes:
        node, wanted = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            nodes += [(value, key.value in _SENTENCES) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += [(value, wanted) for value in node.value]
        elif node is not None and wanted and " " in node.value:
            yield first + node.start_mark.line, node.value


def documented(text: str) -> Iterator[Passage]:
    """Yield docstrings of a Python file, and the sentences of documentation that it has as YAML."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if said := ast.get_docstring(node, clean=False):
                yield node.body[0].lineno, said
        elif (
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in _DOCUMENTED
        ):
            yield from sentences(ast.literal_eval(node.value), node.lineno)


# What is read, by area: the files, and how.
AREAS: dict[str, tuple[tuple[str, ...], Callable[[str], Iterator[Passage]]]] = {
    "pages": (("README.md", "CONTRIBUTING.md", "docs/*.md", "docs/oncall/*.md", "roles/*/README.md"), whole),
    "messages": (("roles/communicate/templates/en/*.j2", "roles/bootstrap/templates/runbooks/*[!R].md.j2"), whole),
    "role specs": (("roles/*/meta/argument_specs.yml",), sentences),
    "tasks": (("playbooks/**/*.yml", "roles/*/tasks/*.yml"), sentences),
    "documentation": (("plugins/filter/*.yml",), sentences),
    "python": (("plugins/**/*.py", "playbooks/**/*.py", "tools/**/*.py"), documented),
}


def pages(area: str, root: Path = ROOT) -> list[Path]:
    """Return the files of an area, sorted."""
    return sorted({path for pattern in AREAS[area][0] for path in root.glob(pattern)})


def complaints(root: Path = ROOT) -> list[str]:
    """Return one line for each tic; the line of one in a folded YAML text is where that text begins."""
    return [
        f"{page.relative_to(root)}:{first + line - 1}: {words!r}: write {better}"
        for area, (_patterns, passages) in AREAS.items()
        for page in pages(area, root)
        # Most files have none at all, and need no parser.
        if _FOUND.search(text := page.read_text(encoding="utf-8"))
        for first, passage in passages(text)
        for line, words, better in tics(passage)
    ]


def main() -> int:
    """Print what is found; return an exit status."""
    found = complaints()
    print("\n".join(found) or f"prose: nothing found in {sum(len(pages(area)) for area in AREAS)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
