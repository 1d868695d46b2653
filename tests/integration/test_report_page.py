# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html and index.html in a real browser: light, dark, on a telephone, on paper; nothing loaded or executed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._historyentry import write_history
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportentry import ReportRequest, write_report
from tests.integration.browser import DESKTOP, PHONE, Browser, chromium
from tests.unit.chronicles import HOSTILE, INCIDENT, OBJECTIVES, eventful, lay_down, stopped

OTHERS = 100_000


def written(root: Path, **options: object) -> Path:
    """Write the reports and return the page."""
    request = ReportRequest(str(root), INCIDENT, objectives=OBJECTIVES, **options)  # type: ignore[arg-type]
    told = write_report(request, check_mode=False)
    assert told["found"], told
    return root / INCIDENT / "report.html"


WAYS = ((DESKTOP, False), (DESKTOP, True), (PHONE, False))


def fits(browser: Browser, page: Path, ways: Sequence[tuple[int, bool]] = WAYS) -> None:
    """Check that a page is sound in some ways of looking at it."""
    for width, dark in ways:
        browser.show(page, width, dark=dark)
        assert (browser.console(), browser.requests()) == ([], [])
        scroll = browser.ask("return document.documentElement.scrollWidth")
        assert scroll <= width, (page.name, width, scroll)
        assert browser.violations() == [], (page.name, width, dark)
        assert browser.ask("return document.documentElement.innerHTML.includes('<script')") is False
    paper, hidden = browser.printed()
    assert paper.startswith(b"%PDF-")
    assert hidden == 0


def test_the_pages_are_sound_in_a_browser(directory: Path) -> None:
    one, two, big = (directory / name for name in ("one", "two", "big"))
    # Everything that somebody else wrote is what an attacker would write.
    place = lay_down(one, *eventful(operator=HOSTILE, host=HOSTILE))
    (place / "words.md").write_text(f"## Root cause\n{HOSTILE}\n## What happened\n</blockquote><img src=x onerror=1>\n")
    (place / "messages").mkdir()
    route = {"route": f"slack:{HOSTILE}", "status": "failed", "at": HOSTILE, "tries": 2, "error": HOSTILE}
    message = {"key": "x", "kind": "initial_oncall", "at": HOSTILE, "subject": HOSTILE, "routes": [route]}
    (place / "messages/x.json").write_text(json.dumps(message))
    contacts = [{"role": HOSTILE, "primary": HOSTILE, "secondary": None, "phone": HOSTILE}]
    ledger = {
        "host": HOSTILE, "opened_at": "2027-01-15T08:00:00Z", "closed_at": None, "chain_broken_at": [HOSTILE],
        "triage": {"path": [{"question": HOSTILE, "answer": "yes", "because": HOSTILE}]}, "overrides": [HOSTILE],
    }  # fmt: skip
    hostile = written(one, locale="pt_BR", contacts=contacts, ledgers=[ledger], places={"dumps": HOSTILE})
    plain = written(two, locale="en") if lay_down(two, *eventful()) else hostile
    write_history(str(one), "pt_BR", "", 30, check_mode=False)
    story = stopped()
    for number in range(OTHERS):
        story.task(10 + number / 100, "pm2_info", {"alive": 2}, host=f"app{number % 500}", role="processes")
    lay_down(big, story.end(2000, "contained"))
    began = time.perf_counter()
    large = written(big)
    took = time.perf_counter() - began
    with chromium(directory / "profile") as browser:
        fits(browser, hostile)
        fits(browser, plain, [(PHONE, True)])
        fits(browser, one / "index.html", [(PHONE, False), (DESKTOP, True)])
        assert browser.driver.title == "Incidentes e ensaios"
        browser.show(hostile)
        shown = browser.driver.find_element("tag name", "body").text
        assert "{{ 7*7 }}" in shown
        assert "<script>document.title='owned'</script>" in shown
        assert "49" not in re.findall(r"Operador.*", shown)
        assert browser.ask("return document.querySelectorAll('img, script, iframe, link').length") == 0
        assert browser.ask("return document.documentElement.lang") == "pt-BR"
        loaded = browser.show(large)
        # Figures for docs/measures.md; the bounds leave room for a busy machine.
        print(f"{OTHERS:,} events: written in {took:.1f} s, opened in {loaded:.0f} ms, {large.stat().st_size:,} bytes")
        assert took < 20
        assert loaded < 2000
