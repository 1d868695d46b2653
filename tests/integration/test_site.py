# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of the documentation is built without a complaint, and read without a network, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.integration.browser import Browser, chromium
from tests.support.servers import workspace
from tools import docs
from tools.gates import ROOT

pytestmark = [pytest.mark.drill, pytest.mark.timeout(2400)]

DESK, PHONE = 1280, 390
CODES = re.findall(r"^### (\w+)$", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), re.MULTILINE)
# Inline code that is an error's code and leads nowhere. A single word may mean something else.
_NOT_LINKED = """
return [...document.querySelectorAll("article :not(pre) > code, article code.literal")]
  .filter((code) => arguments[0].includes(code.textContent) && !code.closest("a, h1, h2, h3, pre"))
  .map((code) => code.textContent)
"""
# The theme cuts the page at the window and scrolls the column with the text: by how many pixels that would move.
_TOO_WIDE = "const text = document.querySelector('.content'); return text.scrollWidth - text.clientWidth"
_HITS = """
return [...document.querySelectorAll("ul.search > li")].map((hit) => [
  hit.querySelector("a").getAttribute("href"),
  hit.querySelector("p.context")?.textContent ?? "",
  [...hit.querySelectorAll(".context .highlighted")].map((word) => word.textContent.toLowerCase()),
])
"""
_ACTIVE = "return document.activeElement"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Links that lead nowhere are reported one by one by tests/unit/test_docs.py.
    assert docs.build() == []
    with workspace() as directory, chromium(directory / "profile") as started:
        yield started


def quiet(browser: Browser) -> bool:
    return browser.requests() == [] and browser.console() == []


def test_each_page_fits_the_window_and_each_code_leads_to_its_section(browser: Browser) -> None:
    # Of the filters' pages, which are all alike, one.
    pages = [path for path in sorted(docs.HTML.rglob("*.html")) if not path.stem.endswith("_filter")]
    one = next(docs.HTML.rglob("*_filter.html"))
    assert len(pages) > 80
    certain = [code for code in CODES if "_" in code]
    for page in [*pages, one]:
        for width, dark in ((DESK, False), (PHONE, True)):
            browser.show(page, width, dark=dark)
            # On a phone, a page that is too wide makes the window wider.
            assert (browser.ask("return innerWidth"), browser.ask(_TOO_WIDE)) == (width, 0), page
            loose = "table => table.getBoundingClientRect().width > innerWidth && !table.closest('.table-wrapper')"
            assert browser.ask(f"return [...document.querySelectorAll('article table')].filter({loose}).length") == 0
            blocks, buttons = browser.ask(
                "return ['article pre', 'article button.copy'].map(one => document.querySelectorAll(one).length)"
            )
            assert blocks == buttons, page
        assert browser.ask("return [...document.images].every(image => image.naturalWidth > 0)"), page
        assert browser.driver.execute_script(_NOT_LINKED, certain) == [], page
    assert quiet(browser)


def test_a_wide_table_is_scrolled_in_its_own_box(browser: Browser) -> None:
    browser.show(docs.HTML / "index.html", PHONE)
    scrolled = "boxes.map(box => { box.scrollLeft = 50; return [box.clientWidth, box.scrollLeft, box.tabIndex]; })"
    boxes = browser.ask(f"const boxes = [...document.querySelectorAll('.table-wrapper')]; return {scrolled}")
    # The table of what to type is wider than a phone.
    assert boxes[0][1:] == [50, 0]
    assert all(seen <= PHONE for seen, *_ in boxes)
    assert browser.ask(_TOO_WIDE) == 0


def test_the_first_page_is_the_one_for_on_call_and_each_code_has_an_anchor(browser: Browser) -> None:
    browser.show(docs.HTML / "index.html", DESK)
    assert browser.ask("return document.querySelector('h1').firstChild.textContent") == "On call"
    for page in ("errors.html", "pt_BR/errors.html"):
        browser.show(docs.HTML / page, DESK)
        missing = "return arguments[0].filter((code) => !document.getElementById(code))"
        assert browser.driver.execute_script(missing, CODES) == []
    browser.show(docs.HTML / "reference/write_block_module.html", DESK)
    # A single word among others is linked as well.
    for code in ("not_owner", "busy"):
        assert browser.driver.find_elements(By.CSS_SELECTOR, f"article a[href='../errors.html#{code}'] code"), code


@pytest.mark.parametrize("query", ["undo", "fence", "P0"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_search_finds_on_call_pages_first_and_shows_the_text_around_the_hit(
    browser: Browser, query: str, width: int
) -> None:
    browser.show(docs.HTML / "index.html", width)
    browser.driver.get(f"{(docs.HTML / 'search.html').as_uri()}?q={query}")
    done = (By.XPATH, "//p[@class='search-summary' and contains(., 'finished')]")
    WebDriverWait(browser.driver, 30).until(lambda driver: driver.find_elements(*done))
    hits = browser.ask(_HITS)
    ranks = [0 if re.match(r"index\.|oncall/", href) else 1 if "pt_BR/oncall/" in href else 2 for href, *_ in hits]
    assert ranks == sorted(ranks)
    assert ranks.count(0) > 1
    assert ranks.count(2) > 1
    for href, text, marked in hits[:5]:
        assert query.lower() in text.lower(), href
        assert query.lower() in marked, href
    assert browser.ask(_TOO_WIDE) == 0
    assert quiet(browser)


@pytest.mark.parametrize(
    ("page", "width", "word"), [("index", DESK, "Copied"), ("pt_BR/oncall/index", PHONE, "Copiado")]
)
def test_a_command_is_copied_by_keys_and_pasted_without_a_line_feed(
    browser: Browser, page: str, width: int, word: str
) -> None:
    browser.show(docs.HTML / f"{page}.html", width)
    command = browser.ask("return document.querySelector('article pre').textContent.trim()")
    assert command.startswith("ansible-playbook ")
    for _press in range(200):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        if "copy" in browser.ask(_ACTIVE).get_attribute("class").split():
            break
    button = browser.ask(_ACTIVE)
    assert browser.ask("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    button.send_keys(Keys.ENTER)
    WebDriverWait(browser.driver, 10).until(lambda _driver: button.text == word)
    paste = "const area = document.createElement('textarea'); document.body.append(area); area.focus(); return area"
    area = browser.ask(paste)
    area.send_keys(Keys.CONTROL, "v")
    assert area.get_property("value") == command
    assert quiet(browser)
