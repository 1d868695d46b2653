# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis, its driver or the network says, turned into what a person needs to read. Pure: no Ansible, no driver."""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError


class NotNow(ServerError):
    """No answer, or not yet: the same may succeed in a moment, on a new connection."""


class Elsewhere(ServerError):
    """This server cannot do it, but during a failover another one can, or soon will."""


NOTHING = "Nothing was changed by this step."
CUT = 300
ACT_ON_MASTER = "Act on the master: put it in the redis group, or give the Sentinels in kanban_redis_sentinels."

# For the result of a module that was told to leave a replica alone.
LEFT_ALONE = {"skipped": True, "skipped_reason": "This server is a replica; the master is the one to act on."}

# The driver strips the first word of the replies that it knows, which leaves only the name of its exception.
_KINDS = {
    "AskError": "ASK",
    "AuthenticationError": "NOAUTH",
    "AuthenticationWrongNumberOfArgsError": "NOAUTH",
    "AuthorizationError": "NOAUTH",
    "BusyLoadingError": "LOADING",
    "ClusterCrossSlotError": "CROSSSLOT",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "TryAgainError": "TRYAGAIN",
}

_IS_CLUSTER = (
    "cluster_redirect",
    "This is a node of a Redis Cluster that is not in charge of the key. " + NOTHING,
    "Act on the master of the key's slot: put the node that the message names in kanban_redis_host (login_host).",
)
_RETRY = "It was tried again until the deadline; run the same command again, or look why the server is in this state."

# First word of the reply -> (class, code, why it matters, what to do). The server's own words are the "what".
_WORDS = {
    "NOAUTH": (
        ServerError,
        "wrong_password",
        "Without a login nothing was read or changed.",
        "Give the right kanban_redis_user and kanban_redis_password (login_user, login_password).",
    ),
    "DENIED": (
        ServerError,
        "login_refused",
        "Redis runs in protected mode and takes no command from this address. Nothing was read or changed.",
        "Run the module on the Redis host itself, or give Redis a password and an address to listen on.",
    ),
    "NOPERM": (
        ServerError,
        "missing_privilege",
        "The user may not do its part of the rollback. " + NOTHING,
        "Grant what the message names with ACL SETUSER, or log in as a user that has it.",
    ),
    "READONLY": (
        Elsewhere,
        "read_only_server",
        "A replica holds nothing for the application. " + NOTHING,
        ACT_ON_MASTER,
    ),
    "NOREPLICAS": (
        Elsewhere,
        "too_few_replicas",
        "The server refuses every write while fewer replicas follow than min-replicas-to-write asks for. " + NOTHING,
        "Bring replicas back, or lower min-replicas-to-write; until then the fence in PostgreSQL has to carry.",
    ),
    "OOM": (
        ServerError,
        "out_of_memory",
        "Redis has reached maxmemory and refuses writes. " + NOTHING,
        "Free memory or raise maxmemory, then run the same command again; until then the fence has to carry.",
    ),
    "MISCONF": (
        ServerError,
        "disk_refused",
        "Redis could not save to its disk and refuses writes until it can. " + NOTHING,
        "Free the disk and let BGSAVE succeed, or set stop-writes-on-bgsave-error to no; then run it again.",
    ),
    "WRONGTYPE": (
        ServerError,
        "wrong_type",
        "The key does not hold text. " + NOTHING,
        "Look at it with TYPE, and see that the key is the right one.",
    ),
    "LOADING": (NotNow, "loading", "Redis is starting and reads its data; it takes no commands yet.", _RETRY),
    "MASTERDOWN": (
        NotNow,
        "master_down",
        "This replica has lost its master and answers nothing.",
        ACT_ON_MASTER,
    ),
    "BUSY": (NotNow, "busy", "A script has been running for long and Redis does nothing else.", _RETRY),
    "UNKILLABLE": (NotNow, "busy", "A script has been running for long and Redis does nothing else.", _RETRY),
    "TRYAGAIN": (NotNow, "busy", "The key is being moved between nodes.", _RETRY),
    "CLUSTERDOWN": (NotNow, *_IS_CLUSTER),
    "MOVED": (ServerError, *_IS_CLUSTER),
    "ASK": (ServerError, *_IS_CLUSTER),
    "CROSSSLOT": (ServerError, *_IS_CLUSTER),
}
_UNKNOWN = (
    ServerError,
    "server_error",
    NOTHING,
    "Read the message; if it is unclear, report it with this output.",
)
# A plain ERR is recognized by its words.
_PHRASES = (
    (
        "max number of clients",
        (NotNow, "too_many_connections", "Without a connection nothing can be done.", _RETRY),
    ),
    (
        "unknown command",
        (
            ServerError,
            "unknown_command",
            "This server does not know a command that is needed, or it was renamed. " + NOTHING,
            "Use a user and a server on which the command has its own name.",
        ),
    ),
    (
        "DB index",
        (ServerError, "no_database", NOTHING, "Give the application's database in kanban_redis_db (login_db)."),
    ),
    ("ACL failure in script", _WORDS["NOPERM"]),
    # Redis 6 says neither what is missing nor that it is a matter of rights.
    ("The user executing the script can't", _WORDS["NOPERM"]),
)
# Redis before 7 wraps what a script ran into: "ERR Error running script (...): @user_script: 8: -READONLY You ...".
_IN_SCRIPT = re.compile(r"@user_script: ?\d+: -?(?P<word>[A-Z]{3,}) (?P<rest>.*)")
# The reason why an EXEC is refused follows these words.
_ABORTED = "Transaction discarded because of: "
_SCRIPT_TAIL = re.compile(r"\.? script: \w+, on @user_script:\d+\.$")
_COMMAND = re.compile(r"'(?P<name>[\w|.-]+)'(?: command)?")


def one_line(text: str, most: int = CUT) -> str:
    """Return the first line of what a server said, cut, ending in a full stop."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else "No message"
    line = _SCRIPT_TAIL.sub("", line)
    line = f"{line[:most]}…" if len(line) > most else line
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def explain(kind: str, text: str, where: str) -> ServerError:
    """Return the typed error for an error reply.

    :param kind: name of the driver's exception, for instance ``ResponseError``.
    :param text: its text, with or without the reply's first word.
    :param where: address of the server, for the reader.
    :return: a ServerError, of the class NotNow or Elsewhere if another try may succeed. If the reply names a
        command, its details have ``command``.
    """
    text = text.partition(_ABORTED)[2] or text
    inner = _IN_SCRIPT.search(text)
    first = inner.group("word") if inner else text.partition(" ")[0]
    word = first if first in _WORDS else _KINDS.get(kind, "")
    rest = inner.group("rest") if inner else text
    entry = _WORDS.get("NOAUTH" if first == "WRONGPASS" else word) or _by_phrase(text)
    make, code, why, todo = entry
    named = _COMMAND.search(rest) if code in ("missing_privilege", "unknown_command") else None
    details = {"command": named.group("name").lower()} if named else {}
    return make(code, f"{where}: {one_line(rest)}", why, todo, **details)


def _by_phrase(text: str) -> tuple[type[ServerError], str, str, str]:
    for words, entry in _PHRASES:
        if words.lower() in text.lower():
            return entry
    return _UNKNOWN


def at_replica(where: str, why: str) -> Elsewhere:
    """Return the typed error for a server that says that it is a replica, before it was sent anything to refuse."""
    return Elsewhere("read_only_server", f"{where} is a replica.", why, ACT_ON_MASTER)


def is_of_user(reply: object) -> bool:
    """Tell whether a reply is a refusal of the user; any other is about the server and its state."""
    return isinstance(reply, ServerError) and reply.code in ("missing_privilege", "unknown_command")


def is_of_key(reply: object) -> bool:
    """Tell whether a reply refuses the user the key, and not the command."""
    return isinstance(reply, ServerError) and " access " in reply.what


def acl_line(user: str | None, rights: Sequence[str]) -> str:
    """Return the line that gives a user rights, as ``+command`` or ``~pattern``; patterns are quoted for redis-cli."""
    typed = ("'{}'".format(right.replace("'", "\\'")) if right.startswith("~") else right for right in rights)
    return f"ACL SETUSER {user or 'default'} {' '.join(typed)}"


def unreachable(text: str, where: str, final: bool = False) -> ServerError:
    """Return the typed error for a connection that could not be made, broke, or on which no answer came.

    :param final: True if another try cannot succeed, for instance for a name that does not exist.
    """
    return (ServerError if final else NotNow)(
        "unreachable",
        f"{where}: {one_line(text)}",
        "Without an answer nothing can be held or released here.",
        "Check that Redis runs and kanban_redis_host, _port and _tls; the other hosts were not kept waiting.",
    )


def tls_failed(text: str, where: str) -> ServerError:
    """Return the typed error for a TLS handshake that failed, or a certificate file that cannot be read."""
    return ServerError(
        "tls_failed",
        f"{where}: {one_line(text)}",
        "No command was sent: it is not certain that this is the right server.",
        "Give the right kanban_redis_ca_certs (ca_certs) and the host by the name that its certificate has; "
        "if the server speaks no TLS, set kanban_redis_tls to false.",
    )


def not_redis(text: str, where: str) -> ServerError:
    """Return the typed error for an answer that is not Redis's protocol."""
    return ServerError(
        "not_redis",
        f"{where}: the answer is not Redis's protocol: {one_line(text)}",
        "Something else listens there. Nothing was read or changed.",
        "Check kanban_redis_host, _port and _tls.",
    )
