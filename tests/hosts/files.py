"""The files of a run: keys, passwords, inventory. All are in the state directory, 0600, and go with the fleet."""

import configparser
import hashlib
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.hosts.composition import GROUPS, HostSpec
from tests.hosts.host import Host
from tests.hosts.machine import HostsError, call

CHECKOUT = Path(__file__).resolve().parents[2]
KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
INVENTORY = "inventory.yml"
FLEET = "fleet.json"
# One directory for each host, which the host sees as /etc/kanban-host.
SHARED = "shared"
PASSWORDS = ("postgres_password", "replication_password")


def fleet_id(state: Path) -> str:
    """Return eight hex digits that stand for a state directory: the label of everything in its fleet."""
    return hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:8]


def control_directory(state: Path) -> Path:
    """Return where ssh keeps its shared connections: short, because a socket's path must be under 108 bytes."""
    return control_directory_of(fleet_id(state))


def control_directory_of(fleet: str) -> Path:
    """Return the same for a fleet whose state directory is not known."""
    return Path("/run") / f"kanban-hosts-{fleet}"


def ssh_args() -> str:
    """Return the checkout's ssh arguments for sharing connections: a run elsewhere does not read its ansible.cfg."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string((CHECKOUT / "ansible.cfg").read_text(encoding="utf-8"))
    return settings["ssh_connection"]["ssh_args"]


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _new_key(path: Path) -> None:
    call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)])


def write_before_boot(state: Path, specs: Sequence[HostSpec], addresses: dict[str, str], gateway: str) -> None:
    """Write what the hosts read at their first boot, and what ssh needs to know them."""
    _new_key(state / KEY)
    public = (state / f"{KEY}.pub").read_text()
    for name in PASSWORDS:
        write(state / name, secrets.token_hex(16))
    known = []
    for spec in specs:
        shared = state / SHARED / spec.name
        shared.mkdir(mode=0o700, parents=True)
        _new_key(shared / "ssh_host_ed25519_key")
        kind, key, *_comment = (shared / "ssh_host_ed25519_key.pub").read_text().split()
        known.append(f"{addresses[spec.name]} {kind} {key}\n")
        write(shared / "authorized_keys", public)
        replicas = [other.name for other in specs if other.role == "postgres-replica" and other.primary == spec.name]
        facts = {
            "KANBAN_ROLE": spec.role,
            "KANBAN_GATEWAY": gateway,
            "KANBAN_PRIMARY": addresses[spec.primary] if spec.primary else "",
            "KANBAN_REPLICAS": " ".join(replicas),
        }
        write(shared / "environment", "".join(f'{name}="{value}"\n' for name, value in facts.items()))
        if spec.group == "db":
            for name in PASSWORDS:
                shutil.copy(state / name, shared / name)
    write(state / KNOWN_HOSTS, "".join(known))


def write_inventory(state: Path, hosts: Sequence[Host]) -> None:
    """Write the Ansible inventory as a team would: it contains nothing that plays should set for themselves."""
    # Quoted for ssh and once more for Ansible: the path of a checkout may contain spaces.
    known_hosts = shlex.quote(f'UserKnownHostsFile="{state / KNOWN_HOSTS}"')
    options = f"-o {known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    shared_vars = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(state / KEY),
        "ansible_ssh_common_args": options,
        "ansible_ssh_args": ssh_args(),
        "ansible_control_path_dir": str(control_directory(state)),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    group_vars = {"db": {"ansible_become": True, "ansible_become_user": "postgres"}}
    groups: dict[str, object] = {}
    for group in dict.fromkeys([*GROUPS, *(host.group for host in hosts)]):
        members = {host.name: {"ansible_host": host.address} for host in hosts if host.group == group}
        groups[group] = {"hosts": members} | ({"vars": group_vars[group]} if group in group_vars else {})
    write(state / INVENTORY, "---\n" + "\n".join(_yaml({"all": {"vars": shared_vars, "children": groups}})) + "\n")


def _yaml(tree: dict[str, object], depth: int = 0) -> list[str]:
    """Return YAML lines of nested maps; scalars as JSON, which YAML reads."""
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            lines += ["  " * depth + f"{key}:", *_yaml(value, depth + 1)]
        else:
            lines.append("  " * depth + f"{key}: {json.dumps(value)}")
    return lines


def write_fleet(state: Path, hosts: Sequence[Host]) -> None:
    """Record which hosts are in the fleet, for other processes."""
    write(state / FLEET, json.dumps([asdict(host) for host in hosts], indent=2) + "\n")


def read_fleet(state: Path) -> list[Host]:
    """Return the hosts of a fleet that is up. Raises HostsError if there is none."""
    try:
        return [Host(**host) for host in json.loads((state / FLEET).read_text())]
    except FileNotFoundError:
        raise HostsError(f"no hosts are up in {state}: python -m tests.hosts up") from None


def remove_files(state: Path) -> None:
    """End shared ssh connections and remove every file of a run; what others put into the directory stays."""
    sockets = control_directory(state)
    for path in sockets.glob("*"):
        call(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "nobody"], timeout=10, check=False)
    shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(state / SHARED, ignore_errors=True)
    for name in (KEY, f"{KEY}.pub", KNOWN_HOSTS, INVENTORY, FLEET, *PASSWORDS):
        (state / name).unlink(missing_ok=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()
