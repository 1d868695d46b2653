# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules and playbooks answer in one English word, as people of another language read it in a report. Pure."""

from __future__ import annotations

from typing import Mapping

# By locale; what is not here stands as it was answered.
STATES: Mapping[str, Mapping[str, str]] = {
    "pt_BR": {
        "absent": "ausente",
        "contained": "contido",
        "contained_not_well": "contido, com ressalvas",
        "corrupt": "corrompido",
        "degraded": "degradado",
        "dormant": "instalada, inativa",
        "draining": "aguardando escritas em andamento",
        "failed": "falhou",
        "no_data": "sem dados",
        "not_applicable": "não se aplica",
        "ok": "ok",
        "paused": "pausado",
        "planned": "planejado",
        "proven": "comprovado",
        "recovered": "recuperado",
        "reenabled": "religado",
        "released": "liberado",
        "released_in_part": "liberado em parte",
        "restored": "restaurado",
        "undone": "desfeito",
        "unproven": "não comprovado",
        "unstable": "instável",
        "validated": "validado",
        "withdrawn": "revertido",
    }
}
