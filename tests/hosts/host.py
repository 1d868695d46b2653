"""One running host, and the faults that can be applied to it."""

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.hosts.engine import chosen, engine
from tests.hosts.machine import HostsError, call

# Both hooks: a host that only drops what comes in would still send, and its peers would learn of its timeouts.
_BLACKHOLE = """
table inet kanban_blackhole {
  chain incoming { type filter hook prerouting priority -400; policy drop; iif lo accept; }
  chain outgoing { type filter hook output priority -400; policy drop; oif lo accept; }
}
"""
# Packets come in, but no answer gets out.
_MUTE = """
table inet kanban_blackhole {
  chain outgoing { type filter hook output priority -400; policy drop; oif lo accept; }
}
"""

# What a database is asked to show that it is what its role promises.
_ASKED = {
    "postgres-primary": "SELECT NOT pg_is_in_recovery()",
    "postgres-replica": "SELECT status = 'streaming' FROM pg_stat_wal_receiver",
}
# What Redis and Sentinel say in that case, by their port and the section of INFO.
_INFORMED = {
    "redis-replica": (6379, "replication", "master_link_status:up"),
    "redis-sentinel": (26379, "sentinel", "master0:name=mymaster,status=ok"),
}


def until(ready: Callable[[], bool], what: str, *, timeout: float, pause: float = 0.1) -> None:
    """Ask `ready` every `pause` seconds; raise HostsError naming `what` after `timeout` seconds of no."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise HostsError(f"waited {timeout:g} s for {what}, in vain")
        time.sleep(pause)


def answers(address: str, port: int, send: bytes, expect: bytes) -> bool:
    """Tell whether a TCP server's first bytes, after ours, are the expected ones (one second for each step)."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            connection.sendall(send)
            return connection.recv(64).startswith(expect)
    except OSError:
        return False


@dataclass(frozen=True)
class Host:
    """A host of a fleet. The engine is asked for its state each time, so that any process may hold one."""

    name: str
    group: str
    role: str
    address: str
    """IPv4, the same for as long as the fleet lives."""
    container: str

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30,
        user: str = "root",
        stdin: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host, bypassing the network: works on a host that is cut off, unseen by clients.

        After `timeout` seconds it is killed on the host, too. Raises HostsError then, and if it fails unless `check`
        is false.
        """
        bounded = ["timeout", "--kill-after=1", f"{timeout:g}", *argv]
        done = call([*self._inside, *self._as(user), *bounded], timeout=timeout + 10, stdin=stdin, check=False)
        if done.returncode in (124, 137):
            raise HostsError(f"{self.name}: `{shlex.join(argv)}` was ended after {timeout:g} s")
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise HostsError(f"{self.name}: `{shlex.join(argv)}` failed with status {done.returncode}: {said}")
        return done

    @cached_property
    def _inside(self) -> list[str]:
        """The beginning of a command on the host."""
        found = engine("inspect", "--type", "container", "--format", "{{.Id}}", self.container).stdout.strip()
        return [*chosen().inside, found]

    def _as(self, user: str) -> list[str]:
        """Return words that run what follows with the ids, groups and home of a user; the caller is root."""
        if user == "root":
            return []
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        return ["sh", "-c", 'HOME=$(getent passwd "$0" | cut -d: -f6) exec "$@"', user, *become]

    def psql(self, sql: str, *, database: str = "postgres", timeout: float = 30) -> str:
        """Run SQL as the superuser over the local socket; returns unaligned rows. Clients see what the SQL does."""
        argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        return self.run(argv, user="postgres", stdin=sql, timeout=timeout).stdout.strip()

    @property
    def state(self) -> str:
        """What the engine says: running, paused, exited …, or absent."""
        found = engine("inspect", "--type", "container", "--format", "{{.State.Status}}", self.container, check=False)
        return found.stdout.strip() if found.returncode == 0 else "absent"

    def cut(self) -> None:
        """Unplug the cable: open connections hang; new ones hang at first and then get `No route to host`."""
        self._set_link("down")

    def mend(self) -> None:
        """Undo `cut`, `blackhole`, `mute`: clients connect again at once; what hung goes on if it has not given up."""
        self._set_link("up")
        self._in_network("nft", "destroy", "table", "inet", "kanban_blackhole")

    def blackhole(self) -> None:
        """Drop every packet, silently: open connections hang and new ones time out, though the host answers ARP."""
        self._in_network("nft", "destroy", "table", "inet", "kanban_blackhole")
        self._in_network("nft", "-f", "-", stdin=_BLACKHOLE)

    def mute(self) -> None:
        """Drop what the host sends, silently: it does what it was told on open connections, and nobody learns of it."""
        self._in_network("nft", "destroy", "table", "inet", "kanban_blackhole")
        self._in_network("nft", "-f", "-", stdin=_MUTE)

    def kill(self) -> None:
        """Pull the power: clients get no goodbye; open connections hang, new ones end in `No route to host`."""
        if self.state == "running":
            # Otherwise the dying kernel's FIN would tell every client, which a power cut does not.
            self.cut()
        engine("kill", self.container)
        until(lambda: self.state == "exited", f"{self.name} to be dead", timeout=20)

    def start(self, *, timeout: float = 60) -> None:
        """Boot a killed host, faults undone: old connections get a reset, and sshd answers when this returns."""
        engine("start", self.container, timeout=60)
        self.wait_for_ssh(timeout=timeout)

    def mount_memory(self, where: str, mebibytes: int) -> None:
        """Mount an empty file system in memory over a directory: a disk to fill that is not the machine's."""
        self._in_mounts("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", where)

    def unmount(self, where: str) -> None:
        """Unmount what `mount_memory` put over a directory; what is on it is lost."""
        self._in_mounts("umount", where)

    def pause(self) -> None:
        """Freeze every process: the kernel still accepts connections and nobody ever answers on them."""
        engine("pause", self.container)

    def unpause(self) -> None:
        """Thaw what `pause` froze: clients that still wait get their answers."""
        engine("unpause", self.container)

    def wait_for_ssh(self, *, timeout: float = 60) -> None:
        """Wait until sshd says hello. Raises HostsError after `timeout` seconds."""
        until(lambda: answers(self.address, 22, b"", b"SSH-2.0"), f"sshd on {self.name}", timeout=timeout)

    def wait_until_ready(self, *, timeout: float = 60) -> None:
        """Wait for sshd and for what the host's role promises. Raises HostsError with the first boot's journal."""
        try:
            self.wait_for_ssh(timeout=timeout)
            until(self._role_is_up, f"{self.name} to be a {self.role}", timeout=timeout, pause=0.15)
        except HostsError as error:
            journal = ["journalctl", "--no-pager", "--lines=30", "--output=cat", "--unit=kanban-firstboot"]
            told = engine("exec", self.container, *journal, check=False)
            raise HostsError(f"{error}\n{(told.stdout + told.stderr).strip()}") from error

    def _role_is_up(self) -> bool:
        if self.role == "redis":
            return answers(self.address, 6379, b"PING\r\n", b"+PONG")
        # Not before the first boot is over: PostgreSQL accepts connections before its roles and slots exist.
        over = self.run(["test", "-e", "/var/lib/kanban-firstboot"], check=False).returncode == 0
        if over and self.role in _ASKED:
            # A replica refuses sessions until it has caught up, and a primary that lost its power until it is repaired.
            asked = ["psql", "-XqAt", "-d", "postgres", "-c", _ASKED[self.role]]
            return self.run(asked, user="postgres", check=False).stdout.strip() == "t"
        if over and self.role in _INFORMED:
            port, section, expected = _INFORMED[self.role]
            return expected in self.run(["redis-cli", "-p", str(port), "INFO", section], check=False).stdout
        return over

    def _namespace(self) -> str:
        # Docker still names the namespace of a dead container.
        asked = "{{if .State.Pid}}{{.NetworkSettings.SandboxKey}}{{end}}"
        found = engine("inspect", "--type", "container", "--format", asked, self.container)
        path = found.stdout.strip()
        if not path:
            raise HostsError(f"{self.name} is not running, so it has no network to change: start it first")
        return path

    def _in_network(self, *argv: str, stdin: str | None = None) -> str:
        """Run a program of the machine in the host's network, even if the host is frozen."""
        return call(["nsenter", f"--net={self._namespace()}", *argv], stdin=stdin).stdout

    def _in_mounts(self, *argv: str) -> None:
        """Run a program of the host with the machine's rights: a host itself may mount nothing."""
        found = engine("inspect", "--type", "container", "--format", "{{.State.Pid}}", self.container)
        call(["nsenter", f"--target={found.stdout.strip()}", "--mount", *argv])

    def _set_link(self, to: str) -> None:
        """Set the machine's end of the cable: the host keeps its address and routes, and sees only a lost carrier."""
        inside = json.loads(self._in_network("ip", "-json", "link", "show", "dev", "eth0"))[0]["link_index"]
        ends = json.loads(call(["ip", "-json", "link", "show"]).stdout)
        outside = next((end["ifname"] for end in ends if end["ifindex"] == inside), None)
        if outside is None:
            raise HostsError(f"the machine's end of {self.name}'s cable is gone: take the fleet down and up again")
        call(["ip", "link", "set", "dev", outside, to])
