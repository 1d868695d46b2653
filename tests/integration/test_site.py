# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of the documentation is built without a complaint, and read without a network, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.integration.browser import DESKTOP, PHONE, chromium
from tools import docs

# The start, tables and code, the diagram, a module.
PAGES = ("index.html", "security.html", "architecture.html", "reference/feature_flag_module.html")


@pytest.mark.drill
@pytest.mark.timeout(2400)
def test_the_site_is_whole_and_is_read_and_searched_from_the_disk(directory: Path) -> None:
    # Links that lead nowhere are reported one by one by tests/unit/test_docs.py.
    assert docs.build() == []
    with chromium(directory / "profile") as browser:
        for page in PAGES:
            for width, dark in ((DESKTOP, False), (PHONE, True)):
                browser.show(docs.HTML / page, width, dark=dark)
                # The page itself is as wide as the screen; tables and the diagram are scrolled within it.
                assert browser.ask("return document.documentElement.scrollWidth <= innerWidth"), (page, width)
                assert browser.ask("return [...document.images].every(image => image.naturalWidth > 0)"), page
        browser.driver.get(f"{(docs.HTML / 'search.html').as_uri()}?q=least-privileged")
        # What is found is shown one by one.
        WebDriverWait(browser.driver, 30).until(
            lambda driver: driver.find_elements(By.CSS_SELECTOR, "ul.search a[href*='security.html']")
        )
        assert browser.requests() == []
        assert browser.console() == []
