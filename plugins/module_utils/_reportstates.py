# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-word English answers of modules and playbooks, translated for reports in another language. Pure."""

from __future__ import annotations

from typing import Mapping

# By locale; an answer that is not here is shown as it is.
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
        "raised_again": "escritas recusadas novamente",
        "recovered": "recuperado",
        "reenabled": "religado",
        "refused": "recusado",
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
