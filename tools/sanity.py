"""`ansible-test sanity` on a clean copy of the collection: `python -m tools.sanity [ansible-test options]`."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS

from tools.gates import CACHE, Gate, run_gates
from tools.tree import collection_copy

# ansible-test keeps environments under the home directory. The user's may be read-only, and the stub below must not
# interfere with other projects.
HOME = CACHE / "sanity"

# Half of the Python is no part of the tarball. ruff and mypy look at it; for pylint it would be as much again.
NOT_SHIPPED = ("tests", "tools", "molecule")

# ansible-test bootstraps pip with a script that it downloads from a host of its own. The standard library can do the
# same without a network.
BOOTSTRAP = """\
import ensurepip

ensurepip.bootstrap()
"""


def pip_script() -> str:
    """Return the file name under which this ansible-test looks for its pip bootstrap script.

    Raises LookupError if ansible-test has changed how it names the version.
    """
    source = Path(str(distribution("ansible-core").locate_file("ansible_test/_internal/python_requirements.py")))
    found = re.search(r"\bpip='(\d[\d.]*)'", source.read_text(encoding="utf-8"))
    if not found:
        raise LookupError(f"{source} names no version of pip: look how ansible-test bootstraps it now")
    return f"get_pip_{found.group(1).replace('.', '_')}.py"


def interpreters() -> list[str]:
    """Return directories of real interpreters: ansible-test takes those on PATH, and cannot use pyenv's wrappers."""
    versions = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    return [*sorted(glob.glob(f"{versions}/versions/3.*/bin")), "/usr/bin", "/usr/local/bin", "/bin"]


def ends(directories: Sequence[str]) -> list[str]:
    """Return the oldest and the newest version that ansible-test knows and finds in these directories.

    Code that imports with both also imports with those between, and each version takes as long as most other tests.
    """
    path = os.pathsep.join(directories)
    known = (*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)
    there = [version for version in known if shutil.which(f"python{version}", path=path)]
    return sorted({*there[:1], *there[-1:]}, key=there.index)


def prepare_home() -> None:
    """Make the private home directory with the pip bootstrap in it."""
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / pip_script()).write_text(BOOTSTRAP, encoding="utf-8")
    # pip's settings and cache remain the user's: behind a mirror there is no other way to get a package.
    for name in (".config/pip", ".pip", ".cache/pip"):
        theirs, ours = Path.home() / name, HOME / name
        ours.parent.mkdir(parents=True, exist_ok=True)
        if theirs.is_dir() and not ours.is_symlink():
            ours.symlink_to(theirs)


def main() -> int:
    """Run the sanity tests and return an exit status."""
    (CACHE / "junit" / "sanity.xml").unlink(missing_ok=True)
    prepare_home()
    with collection_copy(without=NOT_SHIPPED) as copy:
        # ansible-test checks what git tracks; without a repository it takes every file, caches included.
        subprocess.run(["git", "init", "-q", "."], cwd=copy, check=True, timeout=60)  # noqa: S607
        path = [str(Path(sys.prefix) / "bin"), *interpreters()]

        def gate(name: str, *options: str) -> Gate:
            command = [str(Path(sys.prefix) / "bin" / "ansible-test"), "sanity", "--color", "no", *options]
            return Gate(name, command, cwd=copy, env={"HOME": str(HOME), "PATH": os.pathsep.join(path)}, timeout=1800)

        if sys.argv[1:]:
            return run_gates("sanity", [gate("ansible-test sanity", *sys.argv[1:])])
        imports = [gate(f"import, Python {one}", "--test", "import", "--python", one) for one in ends(path)]
        return run_gates("sanity", [gate("all but import", "--skip-test", "import"), *imports])


if __name__ == "__main__":
    sys.exit(main())
