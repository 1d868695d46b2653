# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that is used only to have the others loaded early."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.playbooks.runner import CHECKOUT

# In a process of its own, because any other use of a test would have loaded them.
ASK = """
import json
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, test_loader
from ansible.template import Templar
try:
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = str  # Before 2.19 every text is a template.

def there():
    return "ansible.builtin.failed" in test_loader._cached_non_collection_wrappers

init_plugin_loader([COLLECTIONS])
before = there()
value = Templar(DataLoader()).template(trust_as_template("{{ 'db' | chatia.kanban_rollback.loaded }}"))
print(json.dumps([value, before, there()]))
"""


def test_tests_are_there_when_a_play_says_its_hosts() -> None:
    asked = ASK.replace("COLLECTIONS", repr(str(CHECKOUT / ".ansible" / "collections")))
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["db", False, True]
