# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium without a screen, and what a person would look at in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_selenium_python import Axe
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = 1100, 360


@dataclass
class Browser:
    """One session; ``driver`` is Selenium's."""

    driver: Any

    def show(self, page: Path, width: int = DESKTOP, *, dark: bool = False) -> float:
        """Open a file, and return the milliseconds until it was fully loaded."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(page.as_uri())
        return float(self.ask("return performance.getEntriesByType('navigation')[0].loadEventEnd"))

    def ask(self, script: str) -> Any:
        """Run a line of JavaScript as a debugger does, whatever the page allows."""
        return self.driver.execute_script(script)

    def violations(self) -> list[str]:
        """Return what the accessibility checker finds, each with the element that it means."""
        axe = Axe(self.driver)
        axe.inject()
        found = axe.run()
        return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]

    def console(self) -> list[str]:
        """Return what the console complained about since the last look."""
        return [str(line["message"]) for line in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return every address that was requested since the last look, except those of files."""
        messages = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        # The browser's own first page is not ours, and data within an address is requested from nobody.
        return [url for url in sent if not url.startswith(("file:", "chrome:", "data:"))]

    def printed(self) -> tuple[bytes, int]:
        """Return the page on paper, as PDF, and how many of the tables that a screen folds away are missing from it."""
        paper = base64.b64decode(self.driver.print_page())
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        hidden = self.ask(
            "return [...document.querySelectorAll('details table')].filter(t => !t.checkVisibility()).length"
        )
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        return paper, int(hidden)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser with its own profile; it and its driver end with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_page_load_timeout(60)
        yield Browser(driver)
    finally:
        driver.quit()
