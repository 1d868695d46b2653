"""Write the reference of modules, filters and roles as HTML to `.cache/docs/html`: `python -m tools.docs`."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version

from tools.gates import CACHE, ROOT, run
from tools.tree import NAME, NAMESPACE

SETTINGS = f"""\
project = "{NAMESPACE}.{NAME}"
extensions = ["sphinx_antsibull_ext"]
html_theme = "alabaster"
html_show_sphinx = False
# Labels of the site of Ansible itself.
suppress_warnings = ["ref.ref"]
"""


def main() -> int:
    """Generate the pages from the documentation blocks, then HTML from the pages; return an exit status."""
    docs = CACHE / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    source = docs / "source"
    # antsibull-docs refuses a directory that others can write to.
    source.mkdir(parents=True, mode=0o755)
    (source / "conf.py").write_text(SETTINGS, encoding="utf-8")
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections")}
    complaint = run(
        [
            *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
            *("--no-add-antsibull-docs-version", "--dest-dir", str(source), f"{NAMESPACE}.{NAME}"),
        ],
        env=collections,
    ) or run(["sphinx-build", "-q", "-b", "html", str(source), str(docs / "html")], timeout=300)
    print(complaint or f"Written by antsibull-docs {version('antsibull-docs')}: {docs / 'html' / 'index.html'}")
    return 1 if complaint else 0


if __name__ == "__main__":
    sys.exit(main())
