"""The machine's own apt sources, as far as another machine could use them: those with an http or https address."""

import re
from pathlib import Path

from tests.hosts.machine import HostsError, call

_HTTP = re.compile(r"^https?://", re.IGNORECASE)
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")
# Options without which the machine itself could not read its sources. We never choose where packages come from.
_OPTIONS = re.compile(r"^Acquire::(?:Check-|https?::)")


def deb822(text: str) -> list[str]:
    """Return the enabled stanzas for binary packages of a `.sources` file whose addresses are all http(s)."""
    kept = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines).strip()):
        own = [line.partition(":") for line in stanza.splitlines() if not line.startswith((" ", "\t"))]
        fields = {name.strip().lower(): value for name, _sign, value in own}
        uris = fields.get("uris", "").split()
        if (
            uris
            and all(_HTTP.match(uri) for uri in uris)
            and "deb" in fields.get("types", "").split()
            and fields.get("enabled", "yes").strip().lower() not in ("no", "false", "0")
        ):
            kept.append(stanza.strip() + "\n")
    return kept


def one_line(text: str) -> list[str]:
    """Return the lines for binary packages of a `.list` file whose address is http(s)."""
    lines = [line.strip() for line in text.splitlines()]
    return [line + "\n" for line in lines if (found := _ONE_LINE.match(line)) and _HTTP.match(found["uri"])]


def write_sources(directory: Path, apt: Path = Path("/etc/apt")) -> list[str]:
    """Write the usable sources into `directory` (0600) and return their files' paths, as mmdebstrap takes them.

    Raises HostsError if the machine has none.
    """
    folder = apt / "sources.list.d"
    stanzas = [stanza for path in sorted(folder.glob("*.sources")) for stanza in deb822(path.read_text())]
    lists = [path for path in [apt / "sources.list", *sorted(folder.glob("*.list"))] if path.is_file()]
    lines = [line for path in lists for line in one_line(path.read_text())]
    written = []
    for name, parts, between in (("machine.sources", stanzas, "\n"), ("machine.list", lines, "")):
        if parts:
            path = directory / name
            path.touch(mode=0o600)
            path.write_text(between.join(parts))
            written.append(str(path))
    if not written:
        raise HostsError(f"no apt source of this machine has an http(s) address (looked in {apt}): add one")
    return written


def write_options(directory: Path) -> str:
    """Write the machine's apt options for fetching (0600: a proxy may carry a password) and return the file's path."""
    lines = [line for line in call(["apt-config", "dump"]).stdout.splitlines() if _OPTIONS.match(line)]
    path = directory / "machine.conf"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def codename(release: Path = Path("/etc/os-release")) -> str:
    """Return the machine's Debian release, whose packages the hosts get. Raises HostsError if it is not Debian."""
    found = re.search(r'^VERSION_CODENAME="?(\w+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    if found is None:
        raise HostsError(f"{release} names no release: the hosts are made of the machine's own Debian packages")
    return found[1]
