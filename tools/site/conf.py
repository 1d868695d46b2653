"""How Sphinx builds the site that `tools/docs.py` has laid out; given as `-c`, so that nothing of it is in docs/."""

from __future__ import annotations

from typing import Any

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
html_show_sphinx = False
html_copy_source = False
html_use_index = False
# Excerpts would be fetched page by page, which a browser refuses if the site is read from a disk.
html_show_search_summary = False
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


def _in_its_language(_app: object, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Name the language of a page, for screen readers."""
    if page.startswith("pt_BR/"):
        context["language"] = "pt-BR"


def _long_ones(_app: object, doctree: Any, _page: str) -> None:
    """Mark inline code that has a longer word than fits into a table column."""
    for code in doctree.findall(lambda node: node.tagname == "literal"):
        if max(map(len, code.astext().split()), default=0) > LONG:
            code["classes"].append("long")


def setup(app: Any) -> None:
    """Register both."""
    app.connect("doctree-resolved", _long_ones)
    app.connect("html-page-context", _in_its_language)
