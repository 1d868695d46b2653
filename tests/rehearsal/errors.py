# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of companies, by which scenario 2 ranks them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.estate import Estate

_LOG = """
INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
SELECT company, 'error', 'kanban.move', 'TimeoutError'
FROM unnest(ARRAY[{companies}]) WITH ORDINALITY AS worst (company, place), generate_series(1, 11 + 20 * place::int)
"""
_FORGET = 'DELETE FROM "ErrorLogs"'


def log(estate: Estate, companies: Sequence[int]) -> list[str]:
    """Log errors for ``companies``, at least one: more for each than for the one before."""
    estate.site.psql("db1", _LOG.format(companies=", ".join(map(str, companies))))
    return [f"errors of {len(companies)} companies are logged"]


def forget(estate: Estate) -> None:
    """Forget all errors, even the application's own, because whatever runs next would rank by them, too."""
    estate.site.psql("db1", _FORGET)
