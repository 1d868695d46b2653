# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many light hosts, made of namespaces only. `scale.py` starts this as root: ``python -m tests.drills.lights SPEC``.

A host has its own network, its own process tree and the image of tests/hosts under a layer in memory; it runs sshd,
and PostgreSQL if it is a primary. No systemd, no engine: containers of an engine would take a second or two of
processor time each to start, these take a few hundredths. Everything hangs on one process: it is the first of a
process tree and has its own network, mounts and memory. When it ends, however it ends, the kernel ends and frees all
of it.

SPEC is JSON: ``image`` (a root directory, only read), ``parent`` (the process that this must not outlive) and
``hosts``, each ``name``, ``address`` and ``primary``. It prints one line of JSON when all are up: ``pid``
of that first process as the machine sees it, and ``hosts``, each one's process as the tree sees it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

# It exists on every machine; a file system in memory that nobody else sees covers it.
PLACE = Path("/mnt")
BRIDGE = "10.214.0.1"
_SECONDS = 60.0
_DATA = "/var/lib/postgresql/17/main"
_BIN = "/usr/lib/postgresql/17/bin"
_PR_SET_PDEATHSIG = 1
_INITDB = "--no-sync --encoding UTF8 --locale C.UTF-8 --auth-local peer --auth-host scram-sha-256"
_SETTINGS = "-c fsync=off -c shared_buffers=32MB -c max_connections=40 -c shared_preload_libraries="
_PRIMARY = f"""
install -d -o postgres -g postgres -m 2775 /run/postgresql
as() {{ runuser -u postgres -- "$@"; }}
as {_BIN}/initdb --pgdata {_DATA} {_INITDB} >/dev/null
as {_BIN}/postgres -D {_DATA} -c config_file=/etc/postgresql/17/main/postgresql.conf {_SETTINGS} >/tmp/log 2>&1 &
until as psql -Xqd postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
"""


@dataclass(frozen=True)
class _Light:
    name: str
    address: str
    primary: bool
    number: int

    @property
    def layer(self) -> Path:
        return PLACE / "layers" / self.name


def _run(*argv: str, text: str | None = None) -> None:
    subprocess.run(argv, input=text, text=True, check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL)


def _dies_with_parent() -> None:
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError("prctl")


def _until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_SECONDS:g} s for {what}, in vain")
        time.sleep(0.02)


def _boot(light: _Light, image: str, names: str) -> int:
    """Start a host's first process and return it once it has its own network."""
    ready, started = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _dies_with_parent()
            os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS | os.CLONE_NEWUTS | os.CLONE_NEWIPC | os.CLONE_NEWPID)
            os.write(started, b"1")
            # The first process of its tree is a child of this one, which waits for it.
            first = os.fork()
            if first == 0:
                _dies_with_parent()
                _become(light, image, names)
            os.waitpid(first, 0)
        finally:
            os._exit(1)
    os.close(started)
    os.read(ready, 1)
    os.close(ready)
    return pid


def _become(light: _Light, image: str, names: str) -> NoReturn:
    socket.sethostname(light.name)
    root = light.layer / "root"
    for name in ("root", "upper", "work"):
        (light.layer / name).mkdir(parents=True)
    layers = f"lowerdir={image},upperdir={light.layer / 'upper'},workdir={light.layer / 'work'}"
    _run("mount", "-t", "overlay", "-o", layers, "overlay", str(root))
    _run("mount", "-t", "proc", "proc", str(root / "proc"))
    _run("mount", "--rbind", "/dev", str(root / "dev"))
    _run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(root / "dev" / "shm"))
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "run"))
    (root / "run/sshd").mkdir(mode=0o755)
    shared = root / "etc/kanban-host"
    shared.mkdir(mode=0o700)
    (shared / "ssh_host_ed25519_key").write_bytes((PLACE / "keys" / "host").read_bytes())
    (shared / "ssh_host_ed25519_key").chmod(0o600)
    (shared / "authorized_keys").write_bytes((PLACE / "keys" / "controller.pub").read_bytes())
    (root / "etc/hosts").write_text(names)
    _until(_has_eth0, f"{light.name}'s cable")
    commands = f"link set lo up\naddr add {light.address}/16 dev eth0\nlink set eth0 up\n"
    _run("ip", "-batch", "-", text=commands)
    os.chroot(root)
    os.chdir("/")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    script = f"set -eu\n{_PRIMARY if light.primary else ''}exec /usr/sbin/sshd -D\n"
    os.execv("/bin/sh", ["sh", "-c", script])  # noqa: S606  in place of this process


def _has_eth0() -> bool:
    # /sys is the machine's and shows the machine's network.
    return subprocess.run(["ip", "link", "show", "eth0"], capture_output=True, check=False).returncode == 0


def _first(spec: dict[str, Any], report: int) -> NoReturn:
    """Be the first process of the tree: bring everything up, report it, and stay until the end."""
    _dies_with_parent()
    for options in (
        ("--make-rprivate", "/"),
        ("-t", "proc", "proc", "/proc"),
        ("-t", "tmpfs", "-o", "mode=700", "tmpfs", str(PLACE)),
    ):
        _run("mount", *options)
    lights = [_Light(**host, number=number) for number, host in enumerate(spec["hosts"])]
    (PLACE / "keys").mkdir(mode=0o700)
    for key in ("controller", "host"):
        # One host key for all: making more would take most of the start time.
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(PLACE / "keys" / key))
    _run(
        "ip",
        "-batch",
        "-",
        text=f"link set lo up\nlink add br0 type bridge\naddr add {BRIDGE}/16 dev br0\nlink set br0 up\n",
    )
    names = "127.0.0.1 localhost\n" + "".join(f"{light.address} {light.name}\n" for light in lights)
    pids = {light.name: _boot(light, spec["image"], names) for light in lights}
    cables = ""
    for light in lights:
        cables += f"link add v{light.number} type veth peer name eth0 netns {pids[light.name]}\n"
        cables += f"link set v{light.number} master br0 up\n"
    _run("ip", "-batch", "-", text=cables)
    for light in lights:
        _until(partial(_says_hello, light.address), f"sshd on {light.name}")
    os.write(report, json.dumps(_trees(pids)).encode() + b"\n")
    os.close(report)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(1)


def _says_hello(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(16).startswith(b"SSH-2.0")
    except OSError:
        return False


def _trees(pids: dict[str, int]) -> dict[str, int]:
    """Return the first process of each host's own tree: the child of the process that was started."""
    return {name: int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]) for name, pid in pids.items()}


def main() -> int:
    """Start the tree, say where it is, and wait for its end."""
    spec = json.loads(sys.argv[1])
    _dies_with_parent()
    if os.getppid() != spec["parent"]:
        # The parent ended before we could ask to end with it.
        return 1
    os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS | os.CLONE_NEWPID)
    come, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _first(spec, report)
        finally:
            os._exit(1)
    os.close(report)
    with os.fdopen(come) as pipe:
        told = pipe.readline()
    if not told:
        return 1
    print(json.dumps({"pid": pid, "hosts": json.loads(told)}), flush=True)
    os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
