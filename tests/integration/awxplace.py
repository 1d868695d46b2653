# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that has awx.awx, its modules' own argument specs, and awx.yml run from there."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.module import ROOT
from tests.playbooks.runner import Run, Running
from tests.support.awxapi import Awx

VENV = ROOT / ".venv-awx"
# A module names its options in a call of ControllerAPIModule; without an AWX only a stand-in can record them.
SPEC = """
import importlib.util, json, sys, types
for name in ("m", "m.module_utils", "m.modules"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
kept = {}
class Module:
    def __init__(self, argument_spec, **more):
        kept.update(argument_spec)
        raise SystemExit
sys.modules["m.module_utils.controller_api"] = types.ModuleType("m.module_utils.controller_api")
sys.modules["m.module_utils.controller_api"].ControllerAPIModule = Module
found = {}
for path in sys.argv[1:]:
    name = path.rpartition("/")[2][:-3]
    spec = importlib.util.spec_from_file_location(f"m.modules.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept.clear()
    try:
        module.main()
    except SystemExit:
        found[name] = dict(kept)
print(json.dumps(found))
"""


@functools.cache
def environment() -> Path:
    """Return the site-packages that has awx.awx; the environment is made from the pins if it is missing."""
    subprocess.run(["tools/venv", VENV.name, "requirements/awx.txt"], cwd=ROOT, check=True, timeout=1500)
    (found,) = VENV.glob("lib/python3.*/site-packages")
    return found


@functools.cache
def argument_specs(*names: str) -> Mapping[str, Any]:
    """Return the argument specs of modules of awx.awx by name, as the modules' own ``main()`` have them."""
    modules = environment() / "ansible_collections/awx/awx/plugins/modules"
    paths = [str(modules / f"{name}.py") for name in names]
    done = subprocess.run(
        [str(VENV / "bin/python"), "-c", SPEC, *paths], check=True, capture_output=True, text=True, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(directory: Path, awx: Awx, collections: Path = ROOT / ".ansible/collections", **extra: Any) -> Run:
    """Run awx.yml against an AWX to its end, as its user does: from the environment that has awx.awx.

    ``collections``: where this collection is looked for.
    """
    environment()
    (directory / "ansible.cfg").touch()
    given = playbook.given(directory, extra) if extra else []
    variables = {
        "ANSIBLE_COLLECTIONS_PATH": f"{collections}:{environment()}",
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "HOME": str(directory),
        **awx.environment,
    }
    argv = [str(VENV / "bin/ansible-playbook"), "-i", "localhost,", *given, "chatia.kanban_rollback.awx"]
    return Running(argv, directory / "output", directory, variables).wait(timeout=1500)
