"""How an appender works."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Settings"]


class Settings(NamedTuple):
    """How an appender works; AuditLog says what each means."""

    max_bytes: int | None = 100 * 2**20
    fsync: str = "always"
    sync_interval: float = 1.0
    lock_timeout: float = 0.0
    mode: int = 0o600
    shared: bool = False
    backup_count: int = 0
    told: dict[str, Any] | None = None
    """What the log is to say of it; None for nothing."""
