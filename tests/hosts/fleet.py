"""A fleet of hosts on its own bridge: up, found again, down."""

import contextlib
import ipaddress
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.hosts import files, image
from tests.hosts.composition import DEFAULT_STATE, STANDARD, HostSpec
from tests.hosts.engine import chosen, engine, what_is_missing
from tests.hosts.host import Host, until
from tests.hosts.machine import HostsError, call, locked
from tools import costs

LABEL = "chatia.kanban_rollback.hosts"
# Where the machine has the directory of its checkout that a host has mounted.
_SHARED = '{{range .Mounts}}{{if eq .Destination "/etc/kanban-host"}}{{.Source}}{{end}}{{end}}'


@dataclass(frozen=True)
class Fleet:
    """Hosts that are up. `seconds` says how long that took (0 when found again by `load`)."""

    state: Path
    hosts: tuple[Host, ...]
    seconds: float = 0.0

    def __getitem__(self, name: str) -> Host:
        """Return a host by name; KeyError if there is none."""
        return {host.name: host for host in self.hosts}[name]

    @property
    def inventory(self) -> Path:
        """The Ansible inventory of the fleet."""
        return self.state / files.INVENTORY

    @property
    def key(self) -> Path:
        """The private key that root on every host accepts."""
        return self.state / files.KEY

    @property
    def known_hosts(self) -> Path:
        """The host keys, as ssh reads them."""
        return self.state / files.KNOWN_HOSTS

    @property
    def postgres_password(self) -> str:
        """The password of the superuser `postgres` over TCP, on every database host of this run."""
        return (self.state / "postgres_password").read_text()

    def ssh(self, name: str, *command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Log in as root as a client would, on a separate connection; status 255 if the host is not reached."""
        argv = ["ssh", "-i", str(self.key), "-o", f'UserKnownHostsFile="{self.known_hosts}"', "-o", "ConnectTimeout=3"]
        for option in ("BatchMode=yes", "IdentitiesOnly=yes", "ControlPath=none", "StrictHostKeyChecking=yes"):
            argv += ["-o", option]
        return call([*argv, f"root@{self[name].address}", *command], timeout=timeout, check=False)

    def down(self) -> None:
        """Remove the fleet; see the function `down`."""
        down(self.state)


def load(state: Path = DEFAULT_STATE) -> Fleet:
    """Find a fleet that another process brought up. Raises HostsError if there is none."""
    return Fleet(state.resolve(), tuple(files.read_fleet(state)))


def up(state: Path = DEFAULT_STATE, specs: Sequence[HostSpec] = STANDARD, *, timeout: float = 90) -> Fleet:
    """Bring up new hosts, in place of those (or their remains) that the state directory stands for.

    Returns when every host is what its role promises. `timeout` in seconds is for the hosts; a first build of the image
    has its own. Raises HostsError, and then leaves nothing behind.
    """
    if missing := what_is_missing():
        raise HostsError(missing)
    tag, _built = image.ensure()
    state = state.resolve()
    began = time.monotonic()
    with _lock(state):
        _remove(state)
        # Older images of ours, now that the hosts before these no longer use them.
        image.remove(keep=tag)
        try:
            hosts = _boot(state, specs, tag)
            # They boot in parallel; waiting for one after the other costs nothing, and Ctrl-C ends it.
            for host in hosts:
                host.wait_until_ready(timeout=timeout)
        except BaseException:
            # Half a fleet is of no use to anybody, and the caller must hear the original error.
            with contextlib.suppress(HostsError):
                _remove(state)
            raise
        files.write_fleet(state, hosts)
    costs.note("hosts", time.monotonic() - began)
    return Fleet(state, tuple(hosts), time.monotonic() - began)


def down(state: Path = DEFAULT_STATE) -> None:
    """Remove every container, network and file of the fleet, whatever a killed run left of it. Safe to repeat.

    Touches only what carries the label of this state directory. Raises HostsError if something cannot be removed.
    """
    if missing := what_is_missing():
        raise HostsError(missing)
    state = state.resolve()
    with _lock(state):
        _remove(state)


def remove_orphans() -> list[str]:
    """Remove fleets whose checkout is gone, because nobody else can, and return their ids.

    A host has a directory of its checkout mounted from before it boots until it is removed.
    """
    places: dict[str, list[str]] = {}
    said = engine("ps", "--all", "--filter", f"label={LABEL}", "--format", f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}')
    for line in said.stdout.splitlines():
        container, fleet = line.split()
        mounted = engine("inspect", "--format", _SHARED, container, check=False)
        if mounted.returncode == 0:
            places.setdefault(fleet, []).append(mounted.stdout.strip())
    gone = [fleet for fleet, paths in places.items() if not any(Path(path).exists() for path in paths)]
    for fleet in gone:
        _remove_labelled(f"label={LABEL}={fleet}")
        shutil.rmtree(files.control_directory_of(fleet), ignore_errors=True)
    return gone


def _lock(state: Path) -> contextlib.AbstractContextManager[None]:
    return locked(Path("/run") / f"kanban-hosts-{files.fleet_id(state)}.lock", timeout=120)


def _boot(state: Path, specs: Sequence[HostSpec], tag: str) -> list[Host]:
    fleet = files.fleet_id(state)
    label, network = f"{LABEL}={fleet}", f"kanban-{fleet}"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    subnet = _make_network(network, label)
    addresses = {spec.name: str(subnet[11 + number]) for number, spec in enumerate(specs)}
    files.write_before_boot(state, specs, addresses, gateway=str(subnet[-2]))
    hosts = [Host(spec.name, spec.group, spec.role, addresses[spec.name], f"{network}-{spec.name}") for spec in specs]
    names = [f"--add-host={host.name}:{host.address}" for host in hosts]

    def boot(host: Host) -> None:
        # Without a fixed MAC address, a rebooted host is unreachable until others' ARP entries age.
        mac = "02:4b:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(host.address).packed)
        engine(
            "run", "--detach", "--name", host.container, "--hostname", host.name, "--label", label,
            *(word.format(network=network, address=host.address, mac=mac) for word in chosen().plug), *names,
            # A real host reboots itself, has its own firewall and memory to share between processes.
            "--restart=always", "--cap-add=NET_ADMIN", "--shm-size=256m", "--log-driver=none", *chosen().run,
            "--volume", f"{state / files.SHARED / host.name}:/etc/kanban-host:ro",
            tag, "/sbin/init",
            timeout=60,
        )  # fmt: skip

    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(boot, hosts))
    files.write_inventory(state, hosts)
    return hosts


def _make_network(name: str, label: str) -> ipaddress.IPv4Network:
    """Make the bridge on our first free subnet; an engine knows which subnets its own networks have."""
    one = chosen()
    routed = {route["dst"] for route in json.loads(call(["ip", "-json", "-4", "route", "show"]).stdout)}
    for number in range(64):
        subnet = ipaddress.IPv4Network(f"10.213.{number}.0/24")
        # Another engine's, which Docker does not know.
        if str(subnet) in routed:
            continue
        # Internal: no way out. Without a name server podman gives the machine no address on the bridge unless one is
        # asked for.
        where = ["--subnet", str(subnet), "--gateway", str(subnet[1])]
        made = engine("network", "create", "--internal", *one.network, *where, "--label", label, name, check=False)
        if made.returncode == 0:
            return subnet
        if one.taken not in made.stderr:
            raise HostsError(f"{one.name} could not make the network {name}: {made.stderr.strip()}")
    raise HostsError(f"{one.name} could not make the network {name}: all of 10.213.0.0/18 is taken")


def _remove(state: Path) -> None:
    _remove_labelled(f"label={LABEL}={files.fleet_id(state)}")
    files.remove_files(state)


def _remove_labelled(label: str) -> None:
    def gone() -> bool:
        # After a killed run the first attempt may only repair podman's records, so the listing decides, not the status.
        for container in engine("ps", "--all", "--quiet", "--filter", label, check=False).stdout.split():
            engine(*chosen().remove, container, check=False, timeout=60)
        for network in engine("network", "ls", "--quiet", "--filter", label, check=False).stdout.split():
            engine(*chosen().unplug, network, check=False, timeout=60)
        return not _labelled(label)

    until(gone, f"{chosen().name} to let go of the containers and networks with {label}", timeout=60, pause=0.5)


def leftovers(state: Path) -> list[str]:
    """Return the containers and networks that the engine still has of a fleet, by name."""
    return _labelled(f"label={LABEL}={files.fleet_id(state)}")


def processes(state: Path) -> list[str]:
    """Return the commands on this machine that name a fleet or its files: Podman's for each host, SSH's, Ansible's."""
    fleet, found = files.fleet_id(state), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            # Gone by itself.
            continue
        if fleet in words or str(state) in words:
            found.append(words)
    return found


def _labelled(label: str) -> list[str]:
    containers = engine("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout.split()
    return containers + engine("network", "ls", "--filter", label, "--format", "{{.Name}}").stdout.split()
