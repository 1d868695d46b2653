# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparisons with the plan's own statements and with bare pings, in one run: `make bench`, `python -m tests.bench`.

An entry prepares two or more arms; the runner alternates them and prints medians and ratios. Seconds of one machine say
little, ratios of one run say much. Nothing here fails: benchmarks print, rehearsals assert.
"""
