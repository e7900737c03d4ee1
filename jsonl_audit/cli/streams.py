"""Standard output and standard error, when they are a terminal, a pipe that somebody closed, full, or not there."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time

from jsonl_audit.cli.visible import visible
from jsonl_audit.errors import StorageError

__all__ = ["Output", "Progress", "ReaderGoneError", "abandon_stdout", "fill_the_standard_three", "on_terminal", "say"]

_FULL = 64 * 1024


class ReaderGoneError(Exception):
    """Whoever read standard output has what it wanted (`| head`). No error: the command ends, silently."""


class Output:
    """Standard output, in bytes. What is written is kept until 64 KiB are together, or `flush`.

    Goes round `sys.stdout`'s own buffer, so that nothing is left in it that could fail at interpreter exit.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.terminal = on_terminal(sys.stdout)

    @property
    def columns(self) -> int | None:
        """The width of the terminal; None where standard output is none."""
        return shutil.get_terminal_size().columns if self.terminal else None

    def write(self, data: bytes) -> None:
        """Takes `data`.

        Raises ReaderGoneError where nobody reads any more, StorageError where it cannot be written.
        """
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _FULL:
            self.flush()

    def line(self, text: str) -> None:
        """Takes a line of text, without its LF."""
        self.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def flush(self) -> None:
        """Hands over what was kept."""
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        try:
            if sys.stdout is None:
                raise OSError(9, "it is closed")
            sys.stdout.flush()
            _write_all(data)
        except BrokenPipeError:
            abandon_stdout()
            raise ReaderGoneError from None
        except OSError as error:
            abandon_stdout()
            raise StorageError(
                f"standard output cannot be written: {error.strerror or error}", errno=error.errno
            ) from error

    def reader_is_there(self) -> bool:
        """Whether somebody still reads the pipe that standard output is; True where it is none."""
        try:
            poll = select.poll()
            poll.register(sys.stdout.fileno(), 0)
            return not any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
        except (AttributeError, OSError, ValueError):
            return True


def _write_all(data: bytes) -> None:
    try:
        fd = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):  # replaced by a caller in the same process
        sys.stdout.write(data.decode())
        return
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody made the pipe that we share non-blocking
            select.select([], [fd], [], 1.0)


def abandon_stdout() -> None:
    """Lets what is still in `sys.stdout` go nowhere, so that no exit-time flush fails over it."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass


def fill_the_standard_three() -> None:
    """Opens /dev/null where 0, 1 or 2 is closed, lest a file of a log gets that number and a message lands in it."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)


def on_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; a closed or a missing one is none."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, OSError):
        return False


def say(words: str, *, stamp: str = "jsonl-audit: ") -> None:
    """A sentence on standard error. Whatever a path or a value in it holds, the terminal is not steered by it."""
    try:
        sys.stderr.write("\n".join(f"{stamp}{visible(line)}" for line in words.split("\n")) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # there is nobody to tell


class Progress:
    """One line on standard error that is written over as work goes on, and wiped at the end. Only on a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._on = on_terminal(sys.stderr)
        self._began = self._next = time.monotonic() + 0.3  # short work needs no progress
        self._shown = False

    def at(self, words: str) -> None:
        """Shows how far the work has got; ten times a second at most."""
        if self._on and (now := time.monotonic()) >= self._next:
            self._next = now + 0.1
            self._put(f"\r{visible(self._what)}: {words}\x1b[K")

    def __call__(self, done: int, total: int) -> None:
        """Shows bytes done of a total."""
        if total and self._on:
            seconds = time.monotonic() - self._began + 0.3
            rate = f", {done / seconds / 1e6:,.0f} MB/s" if seconds > 0.5 else ""
            self.at(f"{done / total:4.0%} of {total / 1e6:,.0f} MB{rate}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._put("\r\x1b[K")

    def _put(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
            self._shown = True
        except (OSError, ValueError):
            self._on = False
