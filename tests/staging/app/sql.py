# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of the application. Each is about one company: %(company)s is the one that is logged in."""

from __future__ import annotations

LOGIN = 'SELECT id, name, "companyId" FROM "Users" WHERE email = %(email)s'

TICKETS = """
SELECT t.id, t.status, t."lastMessage", t."kanbanLane", t."kanbanOrder",
       ARRAY(SELECT x."tagId" FROM "TicketTags" x WHERE x."ticketId" = t.id ORDER BY x."tagId") AS tags
  FROM "Tickets" t WHERE t."companyId" = %(company)s AND (%(ticket)s IS NULL OR t.id = %(ticket)s)
 ORDER BY t.id LIMIT 200
"""
TAGS = 'SELECT id, name, color, kanban FROM "Tags" WHERE "companyId" = %(company)s ORDER BY id'
LANES = 'SELECT id, name, position FROM "Lanes" WHERE "companyId" = %(company)s ORDER BY position, id'
SETTINGS = 'SELECT settings FROM "Companies" WHERE id = %(company)s'
# Set only the changed keys, in the database itself: a concurrent write of another key is not lost.
SET_SETTINGS = """
UPDATE "Companies" SET "updatedAt" = now(),
       settings = CASE WHEN jsonb_typeof(settings) = 'object' THEN settings ELSE '{}' END || %(changes)s
 WHERE id = %(company)s RETURNING settings
"""

# If told to be slow, the wait happens in the database, so that it is seen where slow queries are looked for.
BOARD_V1 = """
SELECT g.id AS lane, t.id, t."lastMessage" FROM "Tags" g
  LEFT JOIN "TicketTags" x ON x."tagId" = g.id LEFT JOIN "Tickets" t ON t.id = x."ticketId"
 WHERE g."companyId" = %(company)s AND g.kanban = 1 ORDER BY g.id, t.id
"""
BOARD_V2 = """
SELECT l.id AS lane, t.id, t."lastMessage", t."kanbanOrder" FROM "Lanes" l
  LEFT JOIN "Tickets" t ON t."kanbanLane" = l.id AND t."companyId" = l."companyId"
 WHERE l."companyId" = %(company)s ORDER BY l.position, l.id, t."kanbanOrder", t.id
"""
SLOW = """SELECT pg_sleep(%(seconds)s) FROM "Tickets" WHERE "companyId" = %(company)s LIMIT 1"""

# One request at a time for each card: one that is repeated because its answer was lost does not get in between. This
# locks a row of Tickets without writing to it.
LOCK = 'SELECT id FROM "Tickets" WHERE id = %(ticket)s AND "companyId" = %(company)s FOR NO KEY UPDATE'
ATTACH = """
INSERT INTO "TicketTags" ("ticketId", "tagId") SELECT %(ticket)s, g.id FROM "Tags" g
 WHERE g.id = %(tag)s AND g."companyId" = %(company)s
   AND NOT EXISTS (SELECT 1 FROM "TicketTags" x WHERE x."ticketId" = %(ticket)s AND x."tagId" = g.id)
"""
HAS_TAG = 'SELECT 1 AS yes FROM "Tags" WHERE id = %(tag)s AND "companyId" = %(company)s'
DETACH = 'DELETE FROM "TicketTags" WHERE "ticketId" = %(ticket)s AND "tagId" = %(tag)s'
# V1: the lane of a card is its one tag among those with kanban = 1.
LEAVE_LANES = """
DELETE FROM "TicketTags" x USING "Tags" g
 WHERE g.id = x."tagId" AND g.kanban = 1 AND g."companyId" = %(company)s AND x."ticketId" = %(ticket)s
"""
HAS_LANE_V1 = 'SELECT 1 AS yes FROM "Tags" WHERE id = %(lane)s AND "companyId" = %(company)s AND kanban = 1'
ENTER_LANE = 'INSERT INTO "TicketTags" ("ticketId", "tagId") VALUES (%(ticket)s, %(lane)s)'
HAS_LANE_V2 = 'SELECT 1 AS yes FROM "Lanes" WHERE id = %(lane)s AND "companyId" = %(company)s'
MOVE = """
UPDATE "Tickets" SET "kanbanLane" = %(lane)s, "kanbanOrder" = %(order)s, "updatedAt" = now() WHERE id = %(ticket)s
"""
NEW_TAG = """
INSERT INTO "Tags" (name, color, kanban, "companyId") VALUES (%(name)s, %(color)s, 0, %(company)s) RETURNING id
"""
DROP_TAG = 'DELETE FROM "Tags" WHERE id = %(tag)s AND "companyId" = %(company)s AND kanban = 0'
MESSAGE = """
WITH ticket AS (
  UPDATE "Tickets" SET "lastMessage" = %(body)s, status = 'open', "updatedAt" = now()
   WHERE id = %(ticket)s AND "companyId" = %(company)s RETURNING id
)
INSERT INTO "Messages" ("ticketId", body) SELECT id, %(body)s FROM ticket RETURNING id
"""

# What the application does when it is told to corrupt data: such code has had each of these errors.
DUPLICATE_TAG = """
INSERT INTO "TicketTags" ("ticketId", "tagId")
  SELECT "ticketId", "tagId" FROM "TicketTags" WHERE "ticketId" = %(ticket)s ORDER BY "tagId" LIMIT 1
"""
ORPHAN_TAG = """INSERT INTO "Tags" (name, color, kanban, "companyId") VALUES ('Urgente', '#ff0000', 0, NULL)"""
INVALID_LANE = """
UPDATE "Tickets" SET "kanbanLane" = (SELECT min(id) FROM "Lanes" WHERE "companyId" <> %(company)s) WHERE id = %(ticket)s
"""
SHUFFLE_ORDER = """
UPDATE "Tickets" t SET "kanbanOrder" = s.other FROM (
  SELECT id, last_value("kanbanOrder") OVER whole + first_value("kanbanOrder") OVER whole - "kanbanOrder" AS other
    FROM "Tickets" WHERE "kanbanLane" = %(lane)s AND "companyId" = %(company)s AND "kanbanOrder" IS NOT NULL
  WINDOW whole AS (ORDER BY "kanbanOrder" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) s WHERE t.id = s.id
"""
DELETE_TAG = """
DELETE FROM "Tags" WHERE id = (SELECT max(id) FROM "Tags" WHERE "companyId" = %(company)s AND kanban = 0)
"""
STALE_SETTINGS = 'UPDATE "Companies" SET settings = %(settings)s, "updatedAt" = now() WHERE id = %(company)s'
