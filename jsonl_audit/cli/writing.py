"""Opening a log to append to it, for the commands that do: their options, and the words about what was found."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jsonl_audit.cli import streams
from jsonl_audit.cli.options import size

if TYPE_CHECKING:
    from jsonl_audit.log import AuditLog

__all__ = ["WRITING", "lock_option", "open_log", "settled", "writing_options"]

WRITING = ("fsync", "max_bytes", "line_limit", "redact", "validate", "accessed", "lock_timeout")
"""What `writing_options` adds to a command."""
_Command = TypeVar("_Command", bound=Callable[..., Any])
LOCK_TIMEOUT = 10.0
"""Seconds that a commit waits for other appenders: nearly all hold the lock for an instant."""


def lock_option(command: _Command) -> _Command:
    """--lock-timeout, as `lock_timeout`."""
    return click.option(
        "--lock-timeout", type=click.FloatRange(min=0), default=LOCK_TIMEOUT, show_default=True, metavar="SECONDS",
        help="How long to wait for another appender of this log.",
    )(command)  # fmt: skip


def writing_options(command: _Command) -> _Command:
    """The options of `WRITING`."""
    options = [
        click.option(
            "--fsync", type=click.Choice(["always", "interval", "never"]), show_default="the log's own, else always",
            help="When a record counts as recorded: on disk; on disk within a second; written.",
        ),
        click.option(
            "--max-bytes", type=size, show_default="the log's own, else 100MiB", metavar="SIZE",
            help="Seal a segment before it grows past this; 0: never. 64KiB, 100MB, 1GiB.",
        ),
        click.option(
            "--line-limit", type=size, show_default="the log's own, else 32KiB", metavar="SIZE",
            help="The longest line; 16MiB at most. Large values of a longer one go into artifacts.",
        ),
        click.option(
            "--redact", type=click.Choice(["default", "privacy", "off"]),
            show_default="default, or the log's own if more",
            help="What is taken out before it is written: passwords, tokens and keys; also personal data; nothing.",
        ),
        click.option(
            "--validate", type=click.Choice(["warn", "strict", "off"]), show_default="the log's own, else warn",
            help="What is done about events of known types that are not as these ask: say it, refuse them, nothing.",
        ),
        click.option(
            "--accessed", type=click.Choice(["beside", "log", "off"]), show_default="the log's own, else beside",
            help="Where it is recorded who reads the log: in a log beside it, in itself, nowhere.",
        ),
        lock_option,
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settled(path: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with what was not said taken from the settings that the log itself tells.

    So that an event appended from a shell, beside a service or between two runs of it, is no change of settings. But
    nothing is left unredacted only because somebody else, or a command before, once wrote so: that has to be said.
    """
    from jsonl_audit.errors import AuditError
    from jsonl_audit.reader import recorded_settings

    try:
        known = recorded_settings(path)
    except AuditError:  # no log yet, or none: opening it says so
        known = {}
    own = {name: value for name, value in known.items() if name in _USABLE and _USABLE[name](value)}
    wanted = {**options, "artifacts": None}.items()
    made: dict[str, Any] = {name: {**_ELSE, **own}.get(name) if value is None else value for name, value in wanted}
    made["tells"] = frozenset(_ELSE) - {"validate"}  # how one command looks at its events is no setting of the log
    if "redact" in known and options["redact"] is None:
        if known["redact"] is not None and "redact" not in own:
            streams.say("the log is written with redaction rules of its own, not known here: the default ones are used")
        made["tells"] -= {"redact"}
    return made


_ELSE = {
    "fsync": "always", "max_bytes": 100 * 2**20, "line_limit": 32 * 2**10, "redact": "default", "validate": "warn",
    "artifacts": True, "accessed": "beside",
}  # fmt: skip
_USABLE: dict[str, Callable[[Any], bool]] = {  # what a log tells is somebody's file
    "fsync": lambda value: value in ("always", "interval", "never"),
    "max_bytes": lambda value: value is None or (type(value) is int and value >= 0),
    "line_limit": lambda value: type(value) is int and 1024 <= value <= 16 * 2**20,
    "redact": lambda value: value in ("default", "privacy"),
    "validate": lambda value: value in ("warn", "strict", "off"),
    "artifacts": lambda value: type(value) is bool or value == "zstd",
    "accessed": lambda value: value in ("beside", "log", None),
}


class _Saying(logging.Handler):
    """What the engine found and did of itself, on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        streams.say(record.getMessage())


@contextlib.contextmanager
def open_log(path: str, *, tells: frozenset[str] = frozenset(), **options: Any) -> Iterator[AuditLog]:
    """The log at `path`, shared, open within the `with`. What the engine finds meanwhile is said on standard error.

    Raises click.UsageError for a setting that makes no sense, else as AuditLog does.
    """
    from jsonl_audit.errors import AuditError
    from jsonl_audit.log import AuditLog

    class Guest(AuditLog):
        """Of its settings the log tells those that the command line can say."""

        _tells = tells

    logger, saying = logging.getLogger("jsonl_audit"), _Saying()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(saying)
    try:
        try:
            log = Guest(path, shared=True, **options)
        except AuditError:
            raise
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        with log:
            yield log
    finally:
        logger.removeHandler(saying)
        logger.propagate = propagated
