"""The command line, in the checkout, as root: `python -m tests.hosts up|down|status|inventory|image|orphans`."""

import argparse
import sys
import time
from pathlib import Path

from tests.hosts import image
from tests.hosts.composition import DEFAULT_STATE, OPTIONAL, composition
from tests.hosts.engine import what_is_missing
from tests.hosts.fleet import down, load, remove_orphans, up
from tests.hosts.machine import HostsError
from tools.gates import heed_signals


def _up(state: Path, options: argparse.Namespace) -> int:
    began = time.monotonic()
    tag, built = image.ensure()
    if built:
        print(f"built {tag} in {time.monotonic() - began:.0f} s; the next time it is there")
    fleet = up(state, composition(*options.extra))
    for host in fleet.hosts:
        print(f"{host.name:8}{host.group:8}{host.address:16}{host.role}")
    print(f"{len(fleet.hosts)} hosts up in {fleet.seconds:.1f} s")
    print(f"ansible-playbook -i {fleet.inventory} …   ends with: python -m tests.hosts down")
    return 0


def _down(state: Path, _options: argparse.Namespace) -> int:
    down(state)
    return 0


def _orphans(_state: Path, _options: argparse.Namespace) -> int:
    for fleet in remove_orphans():
        print(f"removed the hosts of {fleet}, whose checkout is gone")
    return 0


def _status(state: Path, _options: argparse.Namespace) -> int:
    states = [(host, host.state) for host in load(state).hosts]
    for host, is_now in states:
        print(f"{host.name:8}{host.group:8}{host.address:16}{host.role:18}{is_now}")
    return 0 if all(is_now == "running" for _name, is_now in states) else 1


def _inventory(state: Path, _options: argparse.Namespace) -> int:
    print(load(state).inventory)
    return 0


def _image(_state: Path, options: argparse.Namespace) -> int:
    if options.remove:
        image.remove()
        return 0
    tag, built = image.ensure()
    print(f"{tag} {'built' if built else 'was there'}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 not as it should be (the reason on stderr)."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description="Real hosts for tests of playbooks.")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="where keys and inventory lie (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="new hosts, in place of those that are up")
    starting.add_argument("--with", dest="extra", action="append", default=[], choices=sorted(OPTIONAL))
    commands.add_parser("down", help="remove every trace of the hosts; the image stays")
    commands.add_parser("orphans", help="remove hosts whose checkout is gone")
    commands.add_parser("status", help="the hosts and their state; 1 unless all run")
    commands.add_parser("inventory", help="print the path of the Ansible inventory")
    imaging = commands.add_parser("image", help="build the image of the hosts, if its recipe has changed")
    imaging.add_argument("--remove", action="store_true", help="remove it instead")
    options = parser.parse_args(arguments)
    heed_signals()
    actions = {
        "up": _up,
        "down": _down,
        "status": _status,
        "inventory": _inventory,
        "image": _image,
        "orphans": _orphans,
    }
    action = actions[options.command]
    try:
        if missing := what_is_missing():
            raise HostsError(missing)
        return action(options.state, options)
    except HostsError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: `python -m tests.hosts down` removes what may be left", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
