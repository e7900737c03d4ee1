"""Drop-in handlers: what logs today with the standard library, structlog or loguru logs to an audit log.

:class:`AuditHandler` takes the place of ``logging.handlers.RotatingFileHandler``; the modules
:mod:`jsonl_audit.handlers.structlog` and :mod:`jsonl_audit.handlers.loguru` are for those libraries, and need neither
installed to be imported. docs/howto/logging.md shows each at work.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonl_audit.handlers.loguru import AuditSink
    from jsonl_audit.handlers.stdlib import AuditHandler
    from jsonl_audit.handlers.structlog import AuditLoggerFactory

__all__ = ["AuditHandler", "AuditLoggerFactory", "AuditSink"]

_HOMES = {"AuditHandler": "stdlib", "AuditLoggerFactory": "structlog", "AuditSink": "loguru"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *globals()})
