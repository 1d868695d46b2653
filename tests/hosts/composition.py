"""Which hosts a fleet has: data, not code."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE = Path(__file__).parents[2] / ".cache" / "hosts"


@dataclass(frozen=True)
class HostSpec:
    """The plan of one host: `role` is what its first boot makes of it, `group` its inventory group."""

    name: str
    group: str
    role: str
    primary: str = ""
    """For a replica: the host that it streams from; for a Sentinel: the master that it is to watch."""


STANDARD = (
    HostSpec("db1", "db", "postgres-primary"),
    HostSpec("db2", "db", "postgres-replica", primary="db1"),
    HostSpec("redis1", "redis", "redis"),
    HostSpec("app1", "app", "app"),
    HostSpec("app2", "app", "app"),
)
# By name, on request: an independent primary with its own data; a Redis replica, and the Sentinel that fails over.
OPTIONAL = {
    "db3": HostSpec("db3", "db", "postgres-primary"),
    "redis2": HostSpec("redis2", "redis", "redis-replica", primary="redis1"),
    "sentinel1": HostSpec("sentinel1", "sentinel", "redis-sentinel", primary="redis1"),
}
GROUPS = ("db", "redis", "app")


def composition(*extra: str) -> tuple[HostSpec, ...]:
    """Return the standard fleet and the optional hosts named. Raises ValueError for a name that is not optional."""
    unknown = [name for name in extra if name not in OPTIONAL]
    if unknown:
        raise ValueError(f"no optional host is called {', '.join(unknown)}: there is {', '.join(OPTIONAL)}")
    return (*STANDARD, *(OPTIONAL[name] for name in dict.fromkeys(extra)))
