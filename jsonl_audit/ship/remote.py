"""An address that fsspec knows as the place where a log arrives."""

from __future__ import annotations

from typing import Any

from jsonl_audit.errors import LogError

__all__ = ["opened"]


def opened(address: str, name: str, options: dict[str, Any] | None) -> Any:
    """Raises LogError."""
    raise LogError(f"{name} cannot be shipped to an address yet", path=address, actual=options)
