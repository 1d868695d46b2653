# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pm2 starts on an application host, where the package ``app`` lies beside this file."""

from __future__ import annotations

import runpy

runpy.run_module("app", run_name="__main__", alter_sys=True)
