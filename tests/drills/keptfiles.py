# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence and dumps of a drill's stops: whole to the end, whatever second run, release and undo do afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.drills import looks
from tests.drills.looks import Place
from tests.playbooks.runner import Run

_INDEX, _MANIFEST = "index.json", "manifest.json"


@dataclass
class Kept:
    """What was there after each stop: list file by host, and its checksum."""

    _lists: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, place: Place, run: Run) -> None:
        """Remember the evidence that the last screen names, and the primary's finished dumps."""
        for name, directory in looks.evidence(place, run):
            self._remember(place, name, directory, _INDEX)
        if place.primary not in place.gone:
            for dump in looks.dumps(place):
                self._remember(place, place.primary, dump, _MANIFEST)

    def _remember(self, place: Place, name: str, directory: str, index: str) -> None:
        argv = ["find", directory, "-name", index, "-exec", "sha256sum", "{}", "+"]
        for line in place.estate.fleet[name].run(argv, check=False).stdout.splitlines():
            checksum, path = line.split(maxsplit=1)
            self._lists.setdefault((name, path), checksum)

    def lost(self, place: Place) -> list[str]:
        """Return what is not as it was: a list that is gone or another one by now, or files that are not as listed."""
        assert self._lists, "no stop of this drill kept anything: this shows nothing"
        found = []
        for (name, path), checksum in self._lists.items():
            if name in place.gone:
                continue
            host = place.estate.fleet[name]
            now = host.run(["sha256sum", path], check=False).stdout.split()
            if not now or now[0] != checksum:
                found.append(f"{name}: {path} is {'another one' if now else 'gone'}")
            elif wrong := looks.not_as_listed(host, path.rpartition("/")[0], path.rpartition("/")[2], least=0):
                found.append(f"{name}: {wrong}")
        return found
