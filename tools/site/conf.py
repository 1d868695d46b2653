"""How Sphinx builds the site that `tools/docs.py` has laid out; given as `-c`, so that nothing of it is in docs/."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes

LONG = 28

project = "chatia.kanban_rollback"
html_title = project
author = "The chatia.kanban_rollback authors"
language = "en"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
# Anchors of headings by GitHub's rules, so that a link works there and here.
myst_heading_anchors = 4
# Blocks that name no language, such as indented ones, are commands and screens: don't guess colours for them.
highlight_language = "text"
# Examples have gaps (…) in their JSON and YAML; they are then shown without colours, which is not a fault.
suppress_warnings = ["misc.highlighting_failure"]
# A name of ours that leads nowhere is a warning. Names of Ansible itself in the reference are on another site.
nitpicky = True
nitpick_ignore_regex = [
    ("std:ref", r"(?!ansible_collections\.chatia\.kanban_rollback\.).*"),
    ("(std:)?envvar", "ANSIBLE_.*"),
]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
# On-call pages first, and the text around each hit from a script: a browser fetches no file from a disk.
html_search_scorer = str(Path(__file__).with_name("search.js"))
antsibull_ext_color_scheme = "default"
html_theme_options = {
    # The reference's own colours are for a white page: in dark mode they would be dark on dark.
    "dark_css_variables": {
        "antsibull-links-background": "#204748",
        "antsibull-table-background-header": "#48484b",
        "antsibull-table-background-even": "#1c1c1e",
        "antsibull-table-background-odd": "#242426",
        "antsibull-table-border": "#656569",
        "antsibull-narrowtable-background": "#48484b",
        "antsibull-option-type": "#ff93ff",
        "antsibull-option-elements": "#ff93ff",
        "antsibull-option-required": "#ff8282",
        "antsibull-option-version-added": "#71d471",
        "antsibull-option-aliases": "#71d471",
        "antsibull-option-default": "#adadff",
        "antsibull-option-sample": "#adadff",
        "antsibull-option-sample-header": "#fff",
        "antsibull-attribute-support-none": "#ff8282",
        "antsibull-attribute-support-partial": "#b6b600",
        "antsibull-attribute-support-full": "#0c0",
    },
}


# By page, what the search shows the text around a hit from.
_texts: dict[str, str] = {}


def _in_its_language(_app: object, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Name the language of a page, for screen readers."""
    if page.startswith("pt_BR/"):
        context["language"] = "pt-BR"


def _texts_for_search(app: Any, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Collect the text of each page, with its sections; the search page comes last and loads all of it."""
    if "body" in context:
        text = re.sub(r'<a class="headerlink".*?</a>', "", context["body"], flags=re.DOTALL)
        _texts[f"{page}.html"] = re.sub(r"<(?!/?section\b)[^>]*>", "", text)
    if page == "search":
        target = Path(app.outdir, "_static", "texts.js")
        target.write_text(f"const TEXTS = {json.dumps(_texts)};\n", encoding="utf-8")
        app.add_js_file(target.name)


def _long_ones(_app: object, doctree: Any, _page: str) -> None:
    """Mark inline code that has a longer word than fits into a table column."""
    for code in doctree.findall(nodes.literal):
        if max(map(len, code.astext().split()), default=0) > LONG:
            code["classes"].append("long")


def _error_codes(app: Any, doctree: Any, page: str) -> None:
    """Lead from each error code to its section on the page of errors in the reader's language."""
    errors = "pt_BR/errors" if page.startswith("pt_BR/") else "errors"
    text = Path(app.srcdir, f"{errors}.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    if page == errors:
        # The same anchors as on GitHub, which screens print; docutils turns _ into -.
        for section in doctree.findall(nodes.section):
            section["ids"] += {section[0].astext()} & codes - set(section["ids"])
    for literal in list(doctree.findall(nodes.literal)):
        code, around = literal.astext(), literal.parent
        if code not in codes or isinstance(around, (nodes.reference, nodes.title)):
            continue
        # A single word (timeout, production) is a code only beside others, or if that is said.
        beside = {one.astext() for one in around.findall(nodes.literal)} & codes
        if any("_" in one for one in beside) or re.search(rf"\b(?:error|code) {code}\b", around.astext()):
            address = f"{app.builder.get_relative_uri(page, errors)}#{code}"
            literal.replace_self(nodes.reference("", "", literal.deepcopy(), internal=True, refuri=address))


def setup(app: Any) -> None:
    """Register all of them."""
    app.connect("doctree-resolved", _long_ones)
    app.connect("doctree-resolved", _error_codes)
    app.connect("html-page-context", _in_its_language)
    app.connect("html-page-context", _texts_for_search)
