"""What `collect` and `verify --stdin` share: they read for as long as lines come, and say what they find as they go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.stdin import reader_of_stdin
from jsonl_audit.cli.streams import Output, ReaderGoneError, say
from jsonl_audit.cli.visible import visible

if TYPE_CHECKING:
    from jsonl_audit.receive import Collected, StreamFinding, StreamReport

__all__ = ["Said", "read_on"]

_HOUR = 3600.0
_WORDS = 100
"""Words about so many findings of one kind are said in an hour."""
TICK = 1.0
"""Seconds without a line after which the gaps are looked at all the same."""


def read_on(interrupt: Interrupt, feed: Callable[[bytes], None], look: Callable[[], None]) -> None:
    """Feeds standard input until it ends, or a signal comes. `look` is called after each part, and when none comes."""
    read = interrupt.reading(reader_of_stdin(), every=TICK)
    while data := read():
        feed(b"" if data is interrupt.TICK else data)
        look()


class Said:
    """How findings and the report are shown: words on standard error, or JSON on standard output, an object a line."""

    def __init__(self, *, as_json: bool, quiet: bool, confirms: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._confirms = confirms
        self._out = Output()
        self._since = time.monotonic()
        self._said: Counter[str] = Counter()

    def tell(self, finding: StreamFinding) -> None:
        """A finding, as it comes."""
        if self._quiet:
            return
        if self._as_json:
            self._json(finding.to_dict())
            return
        if time.monotonic() - self._since > _HOUR:
            self._since, self._said = time.monotonic(), Counter()
        self._said[finding.kind] += 1
        if self._said[finding.kind] > _WORDS:
            if self._said[finding.kind] == _WORDS + 1:
                say(f"{finding.kind}: more of them are only counted, for an hour; --json tells them all")
            return
        line = f"line {finding.line:,}: " if finding.line else ""
        log = f"log {finding.log[:13]}: " if finding.log else ""
        say(f"{line}{log}{finding.kind}: {finding.message}")

    def report(self, report: Collected | StreamReport) -> None:
        """The report, at the end."""
        if self._quiet:
            return
        if self._as_json:
            self._json({"kind": "report", **report.to_dict()})
        elif self._confirms:
            say(str(report))
        else:
            self._print("".join(f"{visible(line)}\n" for line in str(report).split("\n")).encode())

    def confirm(self, lines: int) -> None:
        """Says that so many lines are on the disk, or, with 0, that it is ready for the first."""
        self._print(b"OK\n" * (lines or 1))

    def _json(self, shown: dict[str, Any]) -> None:
        self._print(orjson.dumps(shown, default=repr) + b"\n")

    def _print(self, data: bytes) -> None:
        try:
            self._out.write(data)
            self._out.flush()
        except ReaderGoneError:  # what is collected goes on being collected
            self._quiet = True
