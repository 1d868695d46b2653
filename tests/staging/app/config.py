# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process reads from its environment, as pm2 sets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Config:
    """Where this process listens, where its data is, and its secrets."""

    host: str
    port: int
    instance: int
    database: dict[str, Any] = field(repr=False)
    redis: dict[str, Any] = field(repr=False)
    secret: str = field(repr=False)
    """Signs sessions: one for all processes, so that a login outlives the process that gave it."""
    password: str = field(repr=False)
    """Of every user: a staging system's."""
    state: Path
    """A directory that outlives the process."""
    window: float
    """Seconds that /metrics looks back."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Config:
        """Read the configuration. Raises KeyError naming the missing variable."""
        environment = os.environ if environment is None else environment
        return cls(
            host=environment.get("HOST", "127.0.0.1"),
            port=int(environment["PORT"]),
            instance=int(environment.get("NODE_APP_INSTANCE", "0")),
            database={
                "host": environment["DB_HOST"],
                "port": int(environment.get("DB_PORT", "5432")),
                "dbname": environment["DB_NAME"],
                "user": environment["DB_USER"],
                "password": environment["DB_PASS"],
            },
            redis={
                "host": environment["REDIS_HOST"],
                "port": int(environment.get("REDIS_PORT", "6379")),
                "password": environment.get("REDIS_PASSWORD") or None,
            },
            secret=environment["JWT_SECRET"],
            password=environment["STAGING_PASSWORD"],
            state=Path(environment.get("STATE_DIR", ".")),
            window=float(environment.get("METRICS_WINDOW", "60")),
        )
