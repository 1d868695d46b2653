# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A helpdesk with a Kanban board in two versions: one process of it is ``python3 -m app`` with its environment.

It stands in for the Node application that the collection is for: its tables, its flag in company settings, its write
block, its logs. Runs on Python 3.12 or newer with aiohttp, python-socketio, psycopg2 and redis.
"""
