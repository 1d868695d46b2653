# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The staging application that tests, demo and rehearsals run and break, and the load that keeps account of it.

``app/`` is the application itself, which is copied to application hosts as it is: it imports nothing of this
repository. ``load.py`` and ``account.py`` are the other side: clients, and what was acknowledged to them.
"""
