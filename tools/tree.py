"""Copy the checkout as the collection that Ansible's tools expect, and build its tarball from the copy.

`ansible-test` insists on a path that ends in ansible_collections/<namespace>/<name>, and a build straight from the
working tree would pick up stray files.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.gates import CACHE, ROOT, environment

NAMESPACE, NAME = "chatia", "kanban_rollback"
DEPENDENCY = ("community", "postgresql")


def files() -> list[Path]:
    """Return the files of the collection, relative to the checkout: tracked ones, and new ones that git would add."""
    listed = subprocess.run(  # noqa: S603
        # git refuses a checkout owned by another user (a container, sudo) unless it is named safe.
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    # A deleted file that is still in the index is listed too.
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


@contextlib.contextmanager
def collection_copy(without: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary copy `…/ansible_collections/chatia/kanban_rollback`; it is removed afterwards.

    ``without``: names at the root of the checkout that are left out.

    Beside it is a link to the dependency that came with the `ansible` package, so that its documentation fragments
    and module utilities are found.
    """
    with tempfile.TemporaryDirectory(prefix="kanban-rollback-") as temporary:
        base = Path(temporary) / "ansible_collections"
        target = base / NAMESPACE / NAME
        for name in files():
            if name.parts[0] in without:
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
        link = base.joinpath(*DEPENDENCY)
        link.parent.mkdir(parents=True)
        link.symlink_to(_installed(DEPENDENCY), target_is_directory=True)
        try:
            yield target
        finally:
            if sys.pycache_prefix:
                # Remove byte code that is kept elsewhere as well, because the next copy has another name.
                shutil.rmtree(f"{sys.pycache_prefix}{temporary}", ignore_errors=True)


def _installed(collection: tuple[str, str]) -> Path:
    """Return where the `ansible` package has installed a collection. Raises FileNotFoundError if it has not."""
    spec = importlib.util.find_spec("ansible_collections")
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = Path(location).joinpath(*collection)
        if (found / "plugins").is_dir():
            return found
    raise FileNotFoundError(f"collection {'.'.join(collection)}: not in this environment; run `make venv`")


def build(source: Path, dist: Path = CACHE / "dist") -> Path:
    """Build the tarball of the collection copied to `source` into an emptied directory, and return its path."""
    shutil.rmtree(dist, ignore_errors=True)
    subprocess.run(  # noqa: S603
        ["ansible-galaxy", "collection", "build", str(source), "--output-path", str(dist)],  # noqa: S607
        check=True,
        env=environment(),
        timeout=120,
    )
    (tarball,) = dist.glob("*.tar.gz")
    return tarball
