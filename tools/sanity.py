"""`ansible-test sanity` on a clean copy of the collection: `python -m tools.sanity [ansible-test options]`."""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from tools.gates import CACHE, Gate, run_gates
from tools.tree import collection_copy

# ansible-test keeps environments under the home directory. The user's may be read-only, and the stub below must not lie
# in the way of other projects.
HOME = CACHE / "sanity"

# ansible-test bootstraps pip with a script that it downloads from a host of its own. The standard library can do the
# same without any network.
BOOTSTRAP = """\
import ensurepip

ensurepip.bootstrap()
"""


def pip_script() -> str:
    """Return the file name under which this ansible-test looks for its pip bootstrap script.

    Raises LookupError when ansible-test has changed how it names the version.
    """
    source = Path(str(distribution("ansible-core").locate_file("ansible_test/_internal/python_requirements.py")))
    found = re.search(r"\bpip='(\d[\d.]*)'", source.read_text(encoding="utf-8"))
    if not found:
        raise LookupError(f"{source} names no version of pip: look how ansible-test bootstraps it now")
    return f"get_pip_{found.group(1).replace('.', '_')}.py"


def interpreters() -> list[str]:
    """Return directories of real interpreters: ansible-test takes what PATH has, and cannot use pyenv's wrappers."""
    versions = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    return [*sorted(glob.glob(f"{versions}/versions/3.*/bin")), "/usr/bin", "/usr/local/bin", "/bin"]


def prepare_home() -> None:
    """Make the private home directory with the pip bootstrap in it."""
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / pip_script()).write_text(BOOTSTRAP, encoding="utf-8")
    # pip's settings and cache stay the user's: behind a mirror there is no other way to a package.
    for name in (".config/pip", ".pip", ".cache/pip"):
        theirs, ours = Path.home() / name, HOME / name
        ours.parent.mkdir(parents=True, exist_ok=True)
        if theirs.is_dir() and not ours.is_symlink():
            ours.symlink_to(theirs)


def main() -> int:
    """Run the sanity tests and return an exit status."""
    (CACHE / "junit" / "sanity.xml").unlink(missing_ok=True)
    prepare_home()
    with collection_copy() as copy:
        # ansible-test looks at what git tracks; without a repository it takes every file, caches included.
        subprocess.run(["git", "init", "-q", "."], cwd=copy, check=True, timeout=60)  # noqa: S607
        gate = Gate(
            "ansible-test sanity",
            [str(Path(sys.prefix) / "bin" / "ansible-test"), "sanity", "--color", "no", *sys.argv[1:]],
            cwd=copy,
            env={
                "HOME": str(HOME),
                "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), *interpreters()]),
            },
            timeout=1800,
        )
        return run_gates("sanity", [gate])


if __name__ == "__main__":
    sys.exit(main())
