"""Import the collection's shared code with the oldest Python of managed hosts, 3.8.

ruff's rules see syntax; only an import notices a class or function that the standard library did not have yet.
ansible-test no longer supports versions below 3.9.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

# Run by Python 3.8 in the directory that contains ansible_collections. Ansible itself and the drivers are not there,
# and filters, which run only on controllers, may need the Jinja2 that comes with Ansible.
IMPORT_ALL = """
import importlib, pathlib, sys, traceback
bad = 0
for path in sorted(pathlib.Path("ansible_collections/{collection}/plugins").glob("**/*.py")):
    if path.parts[4] not in ("module_utils", "filter"):
        continue
    try:
        importlib.import_module(".".join(path.with_suffix("").parts))
    except ModuleNotFoundError as error:
        absent = ("ansible", "psycopg2", "psycopg", "redis", *(["jinja2"] if path.parts[4] == "filter" else []))
        if (error.name or "").split(".")[0] not in absent:
            bad += 1
            traceback.print_exc()
    except Exception:
        bad += 1
        traceback.print_exc()
sys.exit(bad > 0)
"""


def interpreter() -> str | None:
    """Return the path of a Python 3.8 that works, or None. pyenv's wrapper on PATH does not count."""
    versions = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    for found in sorted(glob.glob(f"{versions}/versions/3.8*/bin/python3.8")):
        return found
    on_path = shutil.which("python3.8")
    return on_path if on_path and Path(on_path).resolve().name.startswith("python") else None


def command(collection: str) -> list[str] | None:
    """Return the argv that imports everything of `namespace/name`, or None if there is no Python 3.8."""
    python = interpreter()
    return [python, "-B", "-c", IMPORT_ALL.replace("{collection}", collection)] if python else None
