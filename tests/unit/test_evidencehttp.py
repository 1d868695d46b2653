# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of an address: never anything that could be secret."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidencehttp import shown, split

SECRET = "tr0ub4dor"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://127.0.0.1:3000/metrics", "http://127.0.0.1:3000/metrics"),
        (f"https://me:{SECRET}@app.internal/a/b?key={SECRET}#x", "https://app.internal/a/b"),
        (f"http://{SECRET}@[::1]:80/", "http://[::1]:80/"),
        ("HTTP://HOST", "http://host"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, seen: str) -> None:
    assert shown(split(url)) == seen


@pytest.mark.parametrize(
    "url", ["", "{}", "file:///{}", "ftp://{}/", "http://", "http://{}:99999/", "http://{}:x/", "//{}/", "http://[{}/"]
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        split(url.format(SECRET))
    assert SECRET not in str(refused.value)
