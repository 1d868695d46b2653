# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the modules beside this one, and below it, compiled once, not twice as Python would. To be imported before them.

Ansible sends a module and everything it imports as one archive of sources. Python's zipimport finds out the name of a
module's file by compiling it, and then compiles it again to run it: for what a stop imports, that costs 0.06 s of a
core on each host.
"""

from __future__ import annotations

import os
import sys
import zipimport


class Importer(zipimport.zipimporter):
    """An importer that knows a module's file by the module's name."""

    def get_filename(self, fullname: str) -> str:
        """Return where a module's source is; raises ZipImportError when it is not in the archive."""
        if self.is_package(fullname):
            return super().get_filename(fullname)
        return os.path.join(self.archive, self.prefix, fullname.rpartition(".")[2] + ".py")


def _below(place: str) -> Importer:
    """Be asked by Python who imports from a place; raises ImportError for any other than those below."""
    if not place.startswith(_BELOW):
        raise ImportError
    return Importer(place)


_PLACES = tuple(sys.modules[__name__.rpartition(".")[0]].__path__)
_BELOW = tuple(place + os.sep for place in _PLACES)
for _place in _PLACES:
    # In a checkout they are files, and there is nothing to fix.
    if isinstance(sys.path_importer_cache.get(_place), zipimport.zipimporter):
        sys.path_importer_cache[_place] = Importer(_place)
        sys.path_hooks.insert(0, _below)
