# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often Python compiles what Ansible sends it in an archive."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
import zipimport
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _compileonce

# Prints how often each file was compiled, by the path that its module says it has.
_IMPORT = """
import collections, json, sys
sys.path.insert(0, sys.argv[1])
compiled = collections.Counter()

def count(event, arguments):
    if event == "compile":
        compiled[str(arguments[1])] += 1

sys.addaudithook(count)
from archived import _compileonce, beside, below
from archived.below import deep
assert [beside.VALUE, below.VALUE, deep.VALUE] == ["here", "below", "deep"]
found = [_compileonce, beside, below, deep]
print(json.dumps({module.__file__: compiled[module.__file__] for module in found}))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archived/__init__.py", "")
        file.write(_compileonce.__file__, "archived/_compileonce.py")
        file.writestr("archived/beside.py", "VALUE = 'here'\n")
        file.writestr("archived/below/__init__.py", "VALUE = 'below'\n")
        file.writestr("archived/below/deep.py", "VALUE = 'deep'\n")
    return path


def test_what_is_imported_after_it_is_compiled_once_and_says_where_it_is(archive: Path) -> None:
    argv = [sys.executable, "-I", "-B", "-c", _IMPORT, str(archive)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    compiled: dict[str, int] = json.loads(done.stdout)
    found = {str(Path(name).relative_to(archive / "archived")): count for name, count in compiled.items()}
    assert found["beside.py"] == 1
    assert found["below/deep.py"] == 1
    assert list(found) == ["_compileonce.py", "beside.py", "below/__init__.py", "below/deep.py"]


def test_of_what_is_not_in_the_archive_it_knows_no_file(archive: Path) -> None:
    with pytest.raises(zipimport.ZipImportError):
        _compileonce.Importer(str(archive / "archived")).get_filename("archived.nowhere")


@pytest.mark.parametrize("module", ["feature_flag", "write_fence", "write_block"])
def test_a_module_of_the_stop_imports_it_before_anything_else_of_ours(module: str) -> None:
    source = (Path(_compileonce.__file__).parents[1] / "modules" / f"{module}.py").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)]
    first = next(node for node in imports if "chatia" in str(node.module))
    assert [name.name for name in first.names] == ["_compileonce"]
