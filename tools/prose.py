"""Name our own tics in the documentation, each with the better word: `python -m tools.prose`.

A general checker of English does not know them: each is good English now and then, and too much in every paragraph.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

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
}
# A tic may be folded.
_FOUND = re.compile("|".join(rf"\b(?:{tic})\b" for tic in TICS).replace(" ", r"\s+"), re.IGNORECASE)
# What people type or read on a screen is quoted: its words are the code's.
_QUOTED = re.compile(
    r"^ *(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^ *(?P=fence)[`~]* *$"
    r"|(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)"
    r"|(?<=\n\n) {4,}\S[^\n]*\n(?: {4,}\S[^\n]*\n)*"
    r"|\]\([^)\s]*\)",
    re.MULTILINE | re.DOTALL,
)


def pages() -> list[Path]:
    """Return the pages that are checked: README, CONTRIBUTING and the English pages at the top of docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def tics(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, words and better words for each tic in a page's prose; code and quoted screens are left out."""
    prose = _QUOTED.sub(lambda quoted: re.sub(r"[^\n]", "`", quoted[0]), text)
    for found in _FOUND.finditer(prose):
        words = " ".join(found[0].split())
        better = next(better for tic, better in TICS.items() if re.match(rf"(?:{tic})$", words, re.IGNORECASE))
        yield prose.count("\n", 0, found.start()) + 1, words, better


def complaints() -> list[str]:
    """Return one line for each tic in the documentation."""
    return [
        f"{page.relative_to(ROOT)}:{line}: {words!r}: write {better}"
        for page in pages()
        for line, words, better in tics(page.read_text(encoding="utf-8"))
    ]


def main() -> int:
    """Print what is found; return an exit status."""
    found = complaints()
    print("\n".join(found) or f"prose: nothing found on {len(pages())} pages")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
