"""Which errors are likely to be over in a moment, and are worth a few more tries before anybody is told."""

from __future__ import annotations

import errno

from jsonl_audit.errors import AuditError

__all__ = ["PAUSES", "is_transient"]

TRANSIENT = frozenset(
    getattr(errno, name)
    for name in (
        "EAGAIN", "EBUSY", "EINTR", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ESTALE", "ETIMEDOUT", "EWOULDBLOCK",
    )
    if hasattr(errno, name)
)  # fmt: skip
"""The system's errors that mean: not now. All others mean that something has to change first."""
PAUSES = (0.001, 0.004, 0.016, 0.064, 0.128)
"""Seconds between one try and the next after such an error; after them it counts as any other."""


def is_transient(error: AuditError) -> bool:
    """Whether an error is likely to be over in a moment.

    >>> import errno
    >>> is_transient(AuditError("", errno=errno.EMFILE)), is_transient(AuditError("", errno=errno.ENOSPC))
    (True, False)
    """
    return error.errno in TRANSIENT
