"""What `collect` and `verify --stdin` share: they read for as long as lines come, and say what they find as they go."""

from __future__ import annotations

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

TICK = 1.0
"""Seconds without a line after which the gaps are looked at all the same."""


def read_on(interrupt: Interrupt, feed: Callable[[bytes], None], look: Callable[[], None]) -> None:
    """Feeds standard input until it ends, or a signal comes. `look` is called after each part, and when none comes."""
    read = interrupt.reading(reader_of_stdin(), every=TICK)
    while data := read():
        feed(b"" if data == interrupt.TICK else data)
        look()


class Said:
    """How findings and the report are shown: words on standard error, or JSON on standard output, an object a line."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._out = Output()

    def tell(self, finding: StreamFinding) -> None:
        """A finding, as it comes."""
        if self._quiet:
            return
        if self._as_json:
            self._json(finding.to_dict())
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
        else:
            self._print("".join(f"{visible(line)}\n" for line in str(report).split("\n")).encode())

    def _json(self, shown: dict[str, Any]) -> None:
        self._print(orjson.dumps(shown, default=repr) + b"\n")

    def _print(self, data: bytes) -> None:
        try:
            self._out.write(data)
            self._out.flush()
        except ReaderGoneError:  # what is collected goes on being collected
            self._quiet = True
