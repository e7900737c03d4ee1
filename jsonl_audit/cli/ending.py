"""How a command ends: the exit status of every error, and its words. No traceback for what a user can put right.

| status | |
|---|---|
| 0 | done; also where nobody reads the rest of the output |
| 1 | `append`, `ship`: refused · `scan`: found · `verify`: tampered, forked · `doctor`: a problem · and such |
| 2 | wrong usage; not a log; a log of a newer format, or files that do not belong together |
| 3 | `verify`, `ship`: empty or incomplete |
| 4 | the operating system refused: no such path, no permission, no space, locked |
| 130 | Ctrl-C |
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence

import click

from jsonl_audit.cli import app, streams
from jsonl_audit.errors import AuditError, EventError, LockedError, LogError, QueryError, RefusedError

__all__ = ["of_stdout", "run", "status_and_words"]

_ADVICE = {
    errno.ENOSPC: "make room on that disk and try again",
    getattr(errno, "EDQUOT", errno.ENOSPC): "the quota is used up: make room and try again",
    errno.EACCES: "look at the permissions of the file and of its folder, and who you are",
    errno.EPERM: "look at the permissions and attributes (chattr) of the file and of its folder",
    errno.EROFS: "the file system is mounted read-only",
    errno.EIO: "the disk or the network file system fails: look at the system's log",
    errno.ENOLCK: "the file system has no locks: put the log on one that has",
    errno.EMFILE: "this process has too many files open: ulimit -n",
    errno.ENFILE: "the system has too many files open",
}
"""What to do about what the system refused, by its number."""


def run(args: Sequence[str]) -> int:
    """Calls the command that `args` name; its exit status. What goes wrong is said on standard error."""
    streams.fill_the_standard_three()
    shown, warnings.showwarning = warnings.showwarning, _say_warning  # type: ignore[assignment]
    try:
        status = app.call(list(args))
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        status = end.exit_code
    except click.UsageError as error:
        _explain_usage(error)
        status = 2
    except click.ClickException as error:
        streams.say(error.format_message())
        status = 2
    except (KeyboardInterrupt, click.Abort):
        if streams.on_terminal(sys.stderr):
            streams.say("", stamp="")  # the shell's prompt goes on a line of its own, behind the ^C
        status = 130
    except (BrokenPipeError, streams.ReaderGoneError):
        streams.abandon_stdout()
        status = 0
    except AuditError as error:
        status, words = status_and_words(error)
        streams.say(words)
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
            return of_stdout(error)  # click's own writing, of --help; the engine's errors carry paths
        status, words = status_and_words(error)
        streams.say(words)
    finally:
        warnings.showwarning = shown
    return status


def _say_warning(message: Warning | str, *_: object) -> None:
    """A warning is a sentence for whoever called the command, not a place in our code."""
    streams.say(str(message))


def status_and_words(error: AuditError | OSError) -> tuple[int, str]:
    """The exit status of an error, and the sentence that says what happened, where, and what to do.

    >>> status_and_words(QueryError("limit -1 is negative"))
    (2, 'limit -1 is negative')
    >>> status_and_words(FileNotFoundError(2, "No such file or directory", "audit.jsonl"))
    (4, 'audit.jsonl: no such file or directory')
    """
    if isinstance(error, (EventError, RefusedError)):
        return 1, str(error)
    if isinstance(error, LockedError):
        return 4, str(error)
    if isinstance(error, (QueryError, LogError)):
        return 2, str(error)
    if isinstance(error, AuditError):
        advice = _ADVICE.get(error.errno or 0) if error.path else None
        return 4, f"{error}; {advice}" if advice else str(error)
    reason = error.strerror or str(error) or type(error).__name__
    reason = reason[:1].lower() + reason[1:]
    if error.filename is not None:
        reason = f"{os.fsdecode(error.filename)}: {reason}"
    return 4, reason


def of_stdout(error: OSError) -> int:
    """The exit status where standard output could not be written."""
    streams.abandon_stdout()
    if error.errno == errno.EPIPE:
        return 0
    streams.say(f"standard output cannot be written: {error.strerror or error}")
    return 4


def _explain_usage(error: click.UsageError) -> None:
    words = error.format_message()
    context = error.ctx
    if context is None:
        streams.say(words)
        return
    streams.say(f"{words}\n{context.get_usage()}\nMore: {context.command_path} --help", stamp="")
