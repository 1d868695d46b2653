"""Build the documentation as one site in `.cache/docs/html`: README, docs/ and the reference: `python -m tools.docs`.

Links of the Markdown files are as GitHub needs them, relative to the file. The site starts with the page for on call
and has README and the pages of docs/ beside it, so links are adjusted as files are copied; anything that is not a page
of the site is linked in the repository.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tools.gates import CACHE, ROOT, run
from tools.tree import NAME, NAMESPACE, files

SITE = Path(__file__).parent / "site"
DOCS = CACHE / "docs"
HTML = DOCS / "html"
# Whoever opens the site at night needs this page.
START = PurePosixPath("docs/oncall/index.md")
_ON_CALL = ("triage", "scenario1", "scenario2", "scenario3", "going-back")
# Pages of docs/ by reader. A page that is not listed here is a failure, because nobody would find it.
NAVIGATION: dict[str, tuple[str, ...]] = {
    "On call": ("self", *(f"oncall/{name}" for name in _ON_CALL)),
    "De plantão": (*(f"pt_BR/oncall/{name}" for name in ("index", *_ON_CALL)), "pt_BR/errors"),
    "Get started": ("README", "first-rehearsal", "setup", "rehearse", "rehearse-hosts", "support"),
    "Adapt": ("your-application", "another-application"),
    "Operate": (
        *("status", "playbooks", "what-it-does", "recovery", "going-on", "awx", "alerts"),
        *("live-view", "messages", "journal", "report", "failover", "errors"),
    ),
    "Understand": ("architecture", "decisions", "plan-mapping", "security", "measures", "timings"),
    "Contribute": ("build", "releasing", "galaxy-checklist"),
    "Reference": ("Modules, filters, callback, profile <reference/index>",),
}
# Code, in a block or inline, is left alone. Otherwise: what precedes the target of a link, and the target.
_LINK = re.compile(
    r"(?P<code>^ *(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^ *(?P=fence)[`~]* *$"
    r"|(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<head>\]\(|^\[[^\]\n]+\]: +|\b(?:href|src)=\")(?P<target>[^)\s\"#]*)(?P<anchor>#[^)\s\"]*)?",
    re.MULTILINE | re.DOTALL,
)
_FENCED = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1[`~]* *$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def places(listed: Iterable[Path]) -> dict[PurePosixPath, PurePosixPath]:
    """Return, by its path in the repository, the path in the site for each file that the site has."""
    found = sorted({PurePosixPath(path.as_posix()) for path in listed})
    ours = {path: path.relative_to("docs") for path in found if path.parts[0] == "docs"}
    return {**ours, PurePosixPath("README.md"): PurePosixPath("README.md"), START: PurePosixPath("index.md")}


def unreachable(pages: Mapping[PurePosixPath, PurePosixPath]) -> list[str]:
    """Return a complaint for each page that no navigation leads to."""
    led_to = {name for names in NAVIGATION.values() for name in names} | {"index"}
    return [
        f"{page}: in no navigation, so nobody finds it: name it in NAVIGATION of tools/docs.py"
        for page, place in pages.items()
        if place.suffix == ".md" and str(place.with_suffix("")) not in led_to
    ]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        again = next(number for number in itertools.count() if (f"{name}-{number}" if number else name) not in found)
        found.add(f"{name}-{again}" if again else name)
    return found | set(re.findall(r"\b(?:id|name)=\"([^\"]+)\"", text))


def settled(
    text: str,
    page: PurePosixPath,
    pages: Mapping[PurePosixPath, PurePosixPath],
    listed: Iterable[PurePosixPath],
    repository: str,
    names: Mapping[PurePosixPath, set[str]],
) -> tuple[str, list[str]]:
    """Return a page's text with its links as the site needs them, and a complaint for each that leads nowhere.

    :param page: where the text is from, as a path in the repository.
    :param listed: all files of the repository.
    :param names: by page, of ``anchors``.
    """
    known = {PurePosixPath(path) for path in listed}
    directories = {parent for path in known for parent in path.parents}
    complaints: list[str] = []

    def put_right(match: re.Match[str]) -> str:
        target, anchor = match["target"] or "", match["anchor"] or ""
        if _ELSEWHERE.match(target):
            return match[0]
        wanted = PurePosixPath(os.path.normpath(page.parent / unquote(target))) if target else page
        if anchor and unquote(anchor[1:]) not in names.get(wanted, {unquote(anchor[1:])}):
            complaints.append(f"{page}: the link to {target}{anchor} leads to the page, but not to a place in it")
        # An anchor in this page, or code.
        if not target:
            return match[0]
        if wanted in pages:
            there = os.path.relpath(pages[wanted], pages[page].parent)
            return f"{match['head']}{there}{anchor}"
        if wanted in known or wanted in directories:
            kind = "blob" if wanted in known else "tree"
            return f"{match['head']}{repository}/{kind}/main/{wanted}{anchor}"
        complaints.append(f"{page}: the link to {target} leads nowhere")
        return match[0]

    return _LINK.sub(put_right, text), complaints


def navigation(pages: Iterable[PurePosixPath]) -> str:
    """Return the tables of contents that the start page ends with; they are shown at the side of each page."""
    there = {str(place.with_suffix("")) for place in pages if place.suffix == ".md"}
    parts = []
    for caption, names in NAVIGATION.items():
        entries = "\n".join(name for name in names if name in there or name == "self" or "<reference/" in name)
        if entries:
            parts.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n:titlesonly:\n\n{entries}\n```\n")
    return "\n" + "\n".join(parts)


def lay_out(source: Path) -> list[str]:
    """Copy the pages to where Sphinx reads them, with their links adjusted; return complaints."""
    listed = files()
    pages = places(listed)
    repository = _repository()
    complaints = unreachable(pages)
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages if page.suffix == ".md"}
    # Also those of Markdown files that are no pages: they are linked in the repository.
    names = {
        PurePosixPath(path): anchors((ROOT / path).read_text(encoding="utf-8"))
        for path in listed
        if path.suffix == ".md"
    }
    for page, place in pages.items():
        there = source / place
        there.parent.mkdir(parents=True, exist_ok=True)
        if page not in texts:
            shutil.copyfile(ROOT / page, there)
            continue
        text, wrong = settled(texts[page], page, pages, map(PurePosixPath, listed), repository, names)
        complaints += wrong
        there.write_text(text + navigation(pages.values()) if page == START else text, encoding="utf-8")
    return complaints


def tidy(reference: Path) -> None:
    """Adapt the generated pages to the theme, with a sidebar of names instead of whole titles."""
    for path in sorted(reference.glob("*.rst")):
        text = path.read_text(encoding="utf-8")
        # The theme shows a table of contents at the side of each page, and refuses another one in it.
        text = re.sub(r"^\.\. contents::\n(?: +:.*\n)*", "", text, flags=re.MULTILINE)
        if path.name == "index.rst":
            # More than a hundred filters, which only our own playbooks use: list them on that page, not beside each.
            text = re.sub(r"^\.\. toctree::\n(?: +:.*\n)*\n(?: +\w+_filter\n)+", "", text, flags=re.MULTILINE)
            text = re.sub(r"^    (\w+)_(module|callback|role)$", r"    \1 <\1_\2>", text, flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")


def _repository() -> str:
    found = re.search(r"^repository: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


class _Page(HTMLParser):
    """What a page of the site has: anchors, addresses that it links to, and those that it loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names.add(given.get("id", ""))
        if tag == "a":
            self.links.add(given.get("href", ""))
        elif tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.add(given.get("href", ""))
        else:
            self.loads.add(given.get("src", ""))


def complaints_about(html: Path) -> Iterator[str]:
    """Check the finished site: every link within it works, and no page loads anything from another host."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(html.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(html)
        for address in sorted(page.loads):
            if "//" in address:
                yield f"{name}: loads {address} from another host"
        for address in sorted(page.links | page.loads):
            target, _hash, anchor = address.partition("#")
            if _ELSEWHERE.match(address) or "//" in address:
                continue
            there = Path(os.path.normpath(path.parent / unquote(target.partition("?")[0]))) if target else path
            if not there.is_file():
                yield f"{name}: the link to {address} leads nowhere"
            elif anchor and there in pages and unquote(anchor) not in pages[there].names:
                yield f"{name}: the link to {address} leads to the page, but not to a place in it"


def build() -> list[str]:
    """Rebuild the site; return complaints."""
    shutil.rmtree(DOCS, ignore_errors=True)
    source = DOCS / "source"
    # antsibull-docs refuses a directory that others can write to.
    (source / "reference").mkdir(parents=True, mode=0o755)
    complaints = lay_out(source)
    wrong = run(
        [
            *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
            *("--no-add-antsibull-docs-version", "--dest-dir", str(source / "reference"), f"{NAMESPACE}.{NAME}"),
        ],
        env={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections")},
    )
    if not wrong:
        tidy(source / "reference")
        sphinx = [
            "sphinx-build",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "-c",
            str(SITE),
            "-d",
            str(DOCS / "doctrees"),
        ]
        wrong = run([*sphinx, str(source), str(HTML)], timeout=1200)
    if wrong:
        return [*complaints, wrong]
    return [*complaints, *complaints_about(HTML)]


def main() -> int:
    """Build the site and say where it is; return an exit status."""
    complaints = build()
    print("\n".join(complaints) or f"Written by antsibull-docs {version('antsibull-docs')}: {HTML / 'index.html'}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
