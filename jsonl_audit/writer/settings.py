"""How an appender works."""

from __future__ import annotations

from typing import Any, NamedTuple

from jsonl_audit import record

__all__ = ["Settings", "check_policy", "check_settings"]


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


def check_settings(
    max_bytes: Any,
    fsync: Any,
    sync_interval: Any,
    lock_timeout: Any,
    mode: Any,
    line_limit: Any,
    backup_count: Any,
    shared: Any,
    accessed: Any = None,
) -> None:
    """Raises ValueError for settings that make no sense."""
    if type(shared) is not bool:
        raise ValueError(f"shared is True or False, not {shared!r}")
    if fsync not in ("always", "interval", "never"):
        raise ValueError(f"fsync is 'always', 'interval' or 'never', not {fsync!r}")
    if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 0):
        raise ValueError(f"max_bytes is a number of bytes, 0 or None for no limit, not {max_bytes!r}")
    if not _is_number(sync_interval) or not 0 < sync_interval <= 86_400:
        raise ValueError(f"sync_interval is a number of seconds above 0, at most a day, not {sync_interval!r}")
    if lock_timeout is not None and not (_is_number(lock_timeout) and 0 <= lock_timeout <= 86_400 * 365):
        raise ValueError(f"lock_timeout is a number of seconds from 0 on, not {lock_timeout!r}")
    if type(mode) is not int or not 0 <= mode <= 0o777 or mode & 0o600 != 0o600:
        raise ValueError(f"mode is permissions that let the owner read and write, such as 0o600, not {mode!r}")
    if type(line_limit) is not int or not 1024 <= line_limit <= record.HARD_LIMIT:
        raise ValueError(f"line_limit is between 1,024 and {record.HARD_LIMIT} bytes, not {line_limit!r}")
    if type(backup_count) is not int or backup_count < 0:
        raise ValueError(f"backup_count is a number of sealed segments, 0 for all, not {backup_count!r}")
    if accessed not in ("beside", "log", "off", None):
        raise ValueError(f"accessed is 'beside', 'log', or None ('off'), not {accessed!r}")


def check_policy(on_error: Any, error_timeout: Any, spill_path: Any) -> None:
    """Raises ValueError for a failure policy that makes no sense."""
    if on_error not in ("raise", "block", "spill", "drop"):
        raise ValueError(f"on_error is 'raise', 'block', 'spill' or 'drop', not {on_error!r}")
    if error_timeout is not None and not (_is_number(error_timeout) and 0 <= error_timeout <= 86_400 * 365):
        raise ValueError(f"error_timeout is a number of seconds from 0 on, or None for ever, not {error_timeout!r}")
    if spill_path is not None and on_error != "spill":
        raise ValueError("spill_path is for on_error='spill'")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
