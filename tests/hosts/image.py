"""The one image from which all hosts are made, kept by the engine under a tag that is a hash of its recipe."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from tests.hosts import sources
from tests.hosts.engine import engine
from tests.hosts.machine import RECIPE, HostsError, call, locked

REPOSITORY = "localhost/kanban-rollback-hosts"
# Read by mmdebstrap, npm and the engine below, and part of the recipe's hash.
BUILD = (
    "--variant=apt",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
# Exactly what the lock file says, checksums included; no code of a package runs while it is installed.
NPM = ("ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
CHANGES = ('CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3")
# Shared by all checkouts of the machine, as an engine's store is.
LOCK = Path("/run/kanban-rollback-hosts-image.lock")
BUILD_DIRECTORY = Path("/var/tmp")  # noqa: S108  half a gigabyte, which /tmp in memory may not have


def recipe_hash(recipe: Path = RECIPE) -> str:
    """Return twelve hex digits that change with anything that goes into the image."""
    digest = hashlib.sha256(repr((BUILD, NPM, CHANGES)).encode())
    for path in sorted(recipe.iterdir()):
        # The settings of an engine on the machine are not part of a host.
        if path.name != "containers.conf":
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def packages(recipe: Path = RECIPE) -> list[str]:
    """Return the packages of a host, in the recipe's order."""
    lines = (recipe / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def exists(tag: str) -> bool:
    """Tell whether the engine has the image."""
    return engine("image", "inspect", tag, check=False).returncode == 0


def ensure() -> tuple[str, bool]:
    """Return the image's name, and whether it had to be built (half a minute and more)."""
    tag = f"{REPOSITORY}:{recipe_hash()}"
    if exists(tag):
        return tag, False
    # As long as a build may take, because another process may be building the same image.
    with locked(LOCK, timeout=900):
        built = not exists(tag)
        if built:
            _build(tag)
    return tag, built


def directory(tag: str, said: str) -> str:
    """Return the directory of a single-layer image, from what the engine says of its driver. Raises HostsError.

    Docker's containerd image store has another driver, or names none: it has no such directory.
    """
    driver = json.loads(said) or {}
    data = driver.get("Data") or {}
    if driver.get("Name") not in ("overlay", "overlay2") or "LowerDir" in data or "UpperDir" not in data:
        raise HostsError(
            f"{tag} is not one directory: light hosts need the engine's driver overlay or overlay2, and with Docker not"
            f" the containerd image store; it says {driver.get('Name', 'no driver')}"
        )
    return str(data["UpperDir"])


def remove(keep: str = "") -> None:
    """Remove our images except `keep`. One that another fleet still uses stays."""
    listed = engine("images", "--filter", f"reference={REPOSITORY}", "--format", "{{.Repository}}:{{.Tag}}")
    for tag in listed.stdout.split():
        if tag != keep:
            engine("rmi", tag, check=False, timeout=60)


def _build(tag: str) -> None:
    # A killed build cannot clean up; we hold the lock, so what is there belongs to nobody.
    for left in BUILD_DIRECTORY.glob("kanban-rollback-hosts-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="kanban-rollback-hosts-", dir=BUILD_DIRECTORY) as name:
        build = Path(name)
        archive = build / "root.tar"
        try:
            pm2 = _install_pm2(build)
            call(
                [
                    "env",
                    f"TMPDIR={build}",
                    "mmdebstrap",
                    *BUILD,
                    f"--aptopt={sources.write_options(build)}",
                    f"--include={','.join(packages())}",
                    f'--customize-hook=sh "{RECIPE}/customize.sh" "$1" "{RECIPE}" "{pm2}"',
                    sources.codename(),
                    str(archive),
                    *sources.write_sources(build),
                ],
                timeout=800,
            )
        except HostsError as error:
            raise HostsError(f"the image of the hosts could not be built: {error}") from error
        changes = [word for change in CHANGES for word in ("--change", change)]
        engine("import", *changes, str(archive), tag, timeout=300)


def _install_pm2(build: Path) -> Path:
    """Have npm install pm2 into a directory that goes into the image; hosts cannot reach the registry."""
    directory = build / "pm2"
    directory.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(RECIPE / name, directory)
    call(["npm", "--prefix", str(directory), "--cache", str(build / "npm-cache"), *NPM], timeout=300)
    return directory
