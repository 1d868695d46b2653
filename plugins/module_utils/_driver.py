# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to type where a driver is missing."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError

_SYSTEM = "/usr/bin/python3"
_MANAGERS = ("apt-get", "dnf", "yum", "zypper")
# What pip installs it by; distributions name it python3-<library>.
_PIP = {"psycopg2": "psycopg2-binary"}


def missing_driver(library: str, error: ImportError) -> ServerError:
    """Return the error of a module without its driver: one sentence, and one line to copy.

    The line ends with a comment, so that a shell accepts what screens put after it.
    """
    found = isinstance(error, ModuleNotFoundError) and error.name == library
    why = "is missing" if found else f"cannot be loaded ({error})"
    return ServerError(
        "no_driver",
        f"The Python library {library} {why} for {sys.executable}.",
        "",
        f"Type there: {_command(library)} # bootstrap.yml does it on all hosts",
    )


def _command(library: str) -> str:
    """Return the command that installs a library for this Python: the distribution's package for its own Python."""
    is_system = sys.prefix == sys.base_prefix and os.path.realpath(sys.executable) == os.path.realpath(_SYSTEM)
    manager = next((name for name in _MANAGERS if shutil.which(name)), None)
    if is_system and manager:
        sudo = "sudo " if shutil.which("sudo") else ""
        return f"{sudo}{manager} install -y python3-{library}"
    return f"{shlex.quote(sys.executable)} -m pip install {_PIP.get(library, library)}"
