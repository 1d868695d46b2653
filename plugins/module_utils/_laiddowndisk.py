# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``bootstrap_files`` does: directories, pages and the record of them, as root. Neither Ansible nor a driver."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._laiddown import (
    ancestors,
    needed_by,
    read_record,
    what_is_left,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportfiles import read_bytes

# Runs a command; returns its exit status and what it printed on both streams.
Command = Callable[[Sequence[str]], Tuple[int, str, str]]
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DPKG = "/var/lib/dpkg/status"


@dataclass(frozen=True)
class FilesRequest:
    """What is requested; the fields are the options of ``bootstrap_files``."""

    state: str
    record: str
    packages: Sequence[str] = ()
    directories: Sequence[Mapping[str, Any]] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    diff_of_new: bool = True

    @property
    def all_directories(self) -> list[str]:
        """Every directory that may be made, a parent before what lies in it."""
        return list(dict.fromkeys(path for one in self.directories for path in ancestors(one["path"])))

    def recorded(self, text: str | None) -> dict[str, list[str]]:
        """Return what a record says, and which of its lines are not about this."""
        return read_record(text or "", self.packages, self.all_directories, list(self.pages))


def files_of(request: FilesRequest, check_mode: bool, command: Command) -> dict[str, Any]:
    """Make what is missing, or remove what the record names; raises KanbanError.

    Return ``left`` (lines about what was left alone), ``packages`` (those that can be removed) and ``diff``.
    """
    try:
        if request.state == "present":
            return _lay_down(request, check_mode)
        return _take_away(request, check_mode, command)
    except OSError as error:
        raise KanbanError(
            "not_laid_down",
            f"{error.filename or request.record}: {error.strerror or error}.",
            "What bootstrap.yml makes on this host is not complete, or not all of it was removed.",
            "Look what is in that place, fix it, and run the same command again.",
        ) from None


def _lay_down(request: FilesRequest, check_mode: bool) -> dict[str, Any]:
    # Looked at before the record is read: what another run at the same moment has made by now is in the record.
    there = {path: _look(path) for path in (*request.all_directories, *request.pages)}
    text = _record(request, "made")
    missing = [path for path in request.all_directories if there[path] is None]
    new = [path for path in request.pages if there[path] is None]
    ours = [path for path in request.recorded(text)["files"] if _is_file(there[path])]
    others = [path for path in request.pages if path not in (*new, *ours)]
    known = (text or "").splitlines()
    lines = [f"package {name}" for name in request.packages]
    lines += [f"directory {path}" for path in missing] + [f"file {path}" for path in new]
    lines = [line for line in lines if line not in known]
    left = [_not_written(others)] if others else []
    changed, diff = bool(lines), []
    if lines:
        # Recorded before it is made: a run that is killed in between leaves nothing unrecorded.
        place = os.path.dirname(request.record)
        _make(place, None, [path for path in ancestors(place) if not _look(path)], check_mode)
        diff = [_write(request.record, text, "".join(f"{line}\n" for line in (*known, *lines)), 0o600, check_mode)]
    for one in request.directories:
        path, owner = ancestors(one["path"])[-1], one.get("owner")
        at = there[path]
        if owner and at and at.st_uid != pwd.getpwnam(owner).pw_uid:
            left.append(_stays_with(path, _name_of(at.st_uid), owner))
        else:
            changed |= _make(path, owner, missing, check_mode)
    for path in (*new, *ours):
        if written := _write(path, _text(path), request.pages[path], 0o644, check_mode):
            changed = True
            diff += [written] if request.diff_of_new or path in ours else []
    return {"changed": changed, "left": left, "packages": [], "diff": diff}


def _not_written(pages: Sequence[str]) -> str:
    return (
        f"Not written, for somebody else has written it: {', '.join(pages)}. "
        "Move it away and type the same again, to have the page that belongs to this version."
    )


def _stays_with(path: str, has_it: str, wants_it: str) -> str:
    return (
        f"{path} stays with {has_it}, so without a ledger prior values go elsewhere for {wants_it}: "
        "say where with kanban_state_dir, or give it the directory if nobody else needs it."
    )


def _take_away(request: FilesRequest, check_mode: bool, command: Command) -> dict[str, Any]:
    text = _record(request, "removed")
    recorded = request.recorded(text)
    if recorded["refused"]:
        raise BadInput(
            "record_refused",
            f"{request.record} names what bootstrap.yml does not make with this profile: {recorded['refused']}.",
            "Removing it could take away what others need. Nothing was removed.",
            "If kanban_runbooks_dir, bootstrap_runbooks or a package's name was changed since, set it as it was; "
            "else take the line out, and run the same again.",
        )
    made = recorded["directories"]
    asked = {name: _needed_by(name, command) for name in recorded["packages"]}
    gone = {path for path in recorded["files"] if _unlink(path, check_mode)}
    for path in made:
        inside = _inside(path)
        if inside is not None and gone.issuperset(inside) and (check_mode or _rmdir(path)):
            gone.add(path)
    # Named as well if it was there before: what a user has in a directory of its own.
    own = [ancestors(one["path"])[-1] for one in request.directories if one.get("owner")]
    full = {path: inside for path in dict.fromkeys((*made, *own)) if (inside := _inside(path)) is not None}
    left = what_is_left({name: why for name, why in asked.items() if why}, made, full, gone)
    # In a directory that was made here they are named with all else that is in it.
    stay = [path for path in request.pages if path not in recorded["files"] and str(Path(path).parent) not in made]
    after = "".join(f"{line}\n" for line in left["record"])
    diff = _write(request.record, text, after or None, 0o600, check_mode)
    return {
        "changed": bool(gone or diff),
        "left": left["lines"] + [f"{path} stays, for bootstrap.yml did not write it." for path in stay if _look(path)],
        "packages": [name for name, why in asked.items() if not why],
        "diff": [diff] if diff else [],
    }


def _record(request: FilesRequest, done: str) -> str | None:
    """Return the record's text; None if there is none. Raises BadInput if another user could have written it."""
    at = _look(request.record)
    if at and (not _is_file(at) or at.st_uid != 0 or stat.S_IMODE(at.st_mode) != 0o600):
        raise BadInput(
            "record_refused",
            f"{request.record} is not a file of root's with mode 0600, so anybody may have written it, "
            "and what it names would be removed as root.",
            f"Nothing was {done}.",
            "Look who changed it; then mend owner and mode, or remove it, and run the same again.",
        )
    return _text(request.record)


def _needed_by(package: str, command: Command) -> str:
    """Return what needs a package. A package manager that removes it would also remove what depends on it."""
    asked = ["dpkg", "--simulate", "--remove"] if os.path.exists(_DPKG) else ["rpm", "--erase", "--test"]
    try:
        code, said, errors = command([*asked, package])
    except OSError as error:
        return str(error)
    return needed_by(code, f"{said} {errors}")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "a user without a name"


def _look(path: str) -> os.stat_result | None:
    """Return what is at a path, a link as itself; None if there is nothing."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _is_file(at: os.stat_result | None) -> bool:
    return at is not None and stat.S_ISREG(at.st_mode)


def _text(path: str) -> str | None:
    found = read_bytes(Path(path))
    return None if found is None else found.decode("utf-8", "replace")


def _inside(path: str) -> list[str] | None:
    """Return the paths in a directory; None if it does not exist."""
    if not _look(path):
        return None
    with _entered(path) as here:
        return [f"{path}/{name}" for name in os.listdir(here)]


def _make(path: str, owner: str | None, missing: Sequence[str], check_mode: bool) -> bool:
    """Make a directory with what it lies in, and give it to its owner; return whether that changes anything."""
    new = [one for one in ancestors(path) if one in missing]
    if new and check_mode:
        return True
    for one in new:
        with _entered(os.path.dirname(one)) as parent, contextlib.suppress(FileExistsError):
            os.mkdir(os.path.basename(one), dir_fd=parent)
        with _entered(one) as here:
            os.fchmod(here, 0o755)  # everybody reads the runbooks  # nosec B103
    if owner is None:
        return bool(new)
    with _entered(path) as here:
        uid, at = pwd.getpwnam(owner).pw_uid, os.fstat(here)
        right = (at.st_uid, stat.S_IMODE(at.st_mode)) == (uid, 0o700)
        if not right and not check_mode:
            os.fchown(here, uid, -1)
            os.fchmod(here, 0o700)
    return bool(new) or not right


def _write(path: str, before: str | None, after: str | None, mode: int, check_mode: bool) -> dict[str, str] | None:
    """Make a file's text and mode this, or remove it (None); return the difference, None if there is none.

    The file is either complete or as before: it is written beside under another name, and then renamed.
    """
    at = _look(path)
    if before == after and (at is None or stat.S_IMODE(at.st_mode) == mode):
        return None
    if not check_mode:
        with _entered(os.path.dirname(path)) as parent:
            if after is None:
                os.unlink(os.path.basename(path), dir_fd=parent)
            else:
                _replace(parent, os.path.basename(path), after, mode)
    return {"before": before or "", "after": after or "", "before_header": path, "after_header": path}


def _replace(parent: int, name: str, text: str, mode: int) -> None:
    beside = f".{name}.{os.getpid()}"
    try:
        with os.fdopen(os.open(beside, _CREATE, 0o600, dir_fd=parent), "wb") as opened:
            opened.write(text.encode())
            opened.flush()
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
        os.replace(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=parent)
        raise


def _unlink(path: str, check_mode: bool) -> bool:
    """Remove a file, or a link as such; return whether it was there. A directory stays, for another made it."""
    at = _look(path)
    if at is None or stat.S_ISDIR(at.st_mode):
        return False
    if not check_mode:
        with _entered(os.path.dirname(path)) as parent:
            os.unlink(os.path.basename(path), dir_fd=parent)
    return True


def _rmdir(path: str) -> bool:
    """Remove a directory; False if something is in it."""
    try:
        with _entered(os.path.dirname(path)) as parent:
            os.rmdir(os.path.basename(path), dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


@contextlib.contextmanager
def _entered(path: str) -> Iterator[int]:
    """Open a directory for what is done in it; an OSError then names it.

    Links that only root could have made are followed. With any other, a user could lead root elsewhere.
    """
    here = os.open("/", _ENTER)
    try:
        for part in Path(path).parts[1:]:
            at = os.stat(part, dir_fd=here, follow_symlinks=False)
            roots = stat.S_ISLNK(at.st_mode) and at.st_uid == os.fstat(here).st_uid == 0
            there = os.open(part, _ENTER | (0 if roots else os.O_NOFOLLOW), dir_fd=here)
            os.close(here)
            here = there
        yield here
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(here)
