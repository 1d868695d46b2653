"""The engine whose containers the hosts are, Podman or Docker, and everything that differs between the two."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts.machine import PROGRAMS, RECIPE, HostsError, call

VARIABLE = "KANBAN_HOSTS_ENGINE"
# Not on everybody's PATH, and the last three on nobody's: podman looks for netavark there.
_PLACES = ("/usr/sbin", "/sbin", "/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman")


@dataclass(frozen=True)
class Engine:
    """The words that are specific to one engine; what both understand alike is written where it is used."""

    name: str
    """Its program."""
    programs: Mapping[str, str]
    """What it needs on the machine: program -> Debian packages."""
    run: tuple[str, ...]
    """How a container is run in which systemd is the first process."""
    plug: tuple[str, ...]
    """How that is put into {network} with {address} and {mac}."""
    network: tuple[str, ...]
    """How a network is made, beside what it is called and which subnet it has."""
    taken: str
    """What it says, among other things, when another network has the subnet."""
    remove: tuple[str, ...]
    """How a container is removed at once, whatever state it is in."""
    unplug: tuple[str, ...]
    """How a network is."""
    inside: tuple[str, ...]
    """The beginning of a command on a host; the container's id comes next."""
    environment: Mapping[str, str] = field(default_factory=dict)


PODMAN = Engine(
    name="podman",
    programs={"podman": "podman", "runc": "runc", "netavark": "netavark"},
    # Below podman's own group all hosts of the machine share the turn of one process: with twenty busy hosts, an
    # interpreter with its driver takes 7 s to load there, and 1 s here.
    run=("--replace", "--systemd=always", "--cgroup-parent=/"),
    plug=("--network={network}:ip={address},mac={mac}",),
    # No name server of podman's: the hosts know each other from /etc/hosts.
    network=("--disable-dns",),
    taken="subnet",
    remove=("rm", "--force", "--time=0", "--volumes"),
    unplug=("network", "rm", "--force", "--time=0"),
    # `podman exec` does the same and takes three times as long.
    inside=("runc", "exec"),
    environment={
        "CONTAINERS_CONF_OVERRIDE": str(RECIPE / "containers.conf"),
        "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
    },
)
# What podman does by --systemd=always, piece by piece, and not --privileged: with that a host would set the machine's
# own kernel parameters when it boots. systemd makes the groups of processes, in the part of the tree that the machine's
# version has for it.
_V1 = Path("/sys/fs/cgroup/systemd")
_GROUPS = _V1 if _V1.is_dir() else _V1.parent
DOCKER = Engine(
    name="docker",
    programs={"docker": "docker.io docker-cli"},
    run=(
        "--env=container=docker",
        "--cgroupns=host",
        # Docker's own filter and profile forbid making namespaces and mounting in them, but Redis is started in its
        # own.
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        f"--volume={_GROUPS}:{_GROUPS}:rw",
        "--tmpfs=/run:exec,mode=755",
        "--tmpfs=/run/lock:mode=1777",
        "--tmpfs=/tmp:exec,mode=1777",
        "--tmpfs=/var/log/journal:mode=2755",
    ),
    plug=("--network={network}", "--ip={address}", "--mac-address={mac}"),
    network=(),
    taken="overlap",
    remove=("rm", "--force", "--volumes"),
    unplug=("network", "rm"),
    inside=("docker", "exec", "--interactive"),
)
ENGINES = {each.name: each for each in (PODMAN, DOCKER)}


def found(program: str) -> bool:
    """Tell whether the machine has a program."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_PLACES])) is not None


def chosen() -> Engine:
    """Return the engine that the environment names; else podman, unless only docker exists; HostsError if unknown."""
    name = os.environ.get(VARIABLE) or ("docker" if found("docker") and not found("podman") else "podman")
    if name not in ENGINES:
        raise HostsError(f"{VARIABLE}={name}: the hosts can be made by {' or '.join(ENGINES)}")
    return ENGINES[name]


def engine(
    *argv: str, timeout: float = 30, stdin: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the engine with settings of our own; see `call`."""
    one = chosen()
    return call([one.name, *argv], timeout=timeout, stdin=stdin, check=check, environment=one.environment)


def what_is_missing() -> str:
    """Return one sentence on why hosts cannot be made on this machine, or an empty string."""
    if os.geteuid() != 0:
        return "the hosts need root (networks, containers with systemd): run this as root"
    try:
        one = chosen()
    except HostsError as error:
        return str(error)
    programs = {**one.programs, **PROGRAMS}
    absent = [name for name in programs if not found(name)]
    if absent:
        packages = " ".join(sorted({programs[name] for name in absent}))
        return f"{', '.join(absent)} not found on this machine: apt-get install --no-install-recommends {packages}"
    # Docker's program may be there without its daemon.
    asked = engine("version", check=False)
    return "" if asked.returncode == 0 else f"{one.name} does not work on this machine: {asked.stderr.strip()}"
