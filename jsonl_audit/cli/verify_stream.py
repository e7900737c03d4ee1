"""`jsonl-audit verify --stdin`: records from standard input, checked as they come."""

from __future__ import annotations

from jsonl_audit.cli.arrivals import Said, read_on
from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.streams import Progress

__all__ = ["verify_stdin"]


def verify_stdin(*, field: str | None, patience: float, as_json: bool, quiet: bool) -> int:
    """Checks standard input until it ends; the exit status."""
    from jsonl_audit.receive.checking import judged
    from jsonl_audit.receive.gaps import GapWatch
    from jsonl_audit.receive.stream import StreamCheck

    said = Said(as_json=as_json, quiet=quiet)
    with Interrupt() as interrupt, Progress("verifying") as progress:
        check = StreamCheck(field=field, tell=said.tell)
        watch = GapWatch(check.gaps, check.told, patience)

        def look() -> None:
            watch.look()
            progress.at(f"{check.records:,} records")

        read_on(interrupt, check.feed, look)
        report = judged(check, watch)
    said.report(report)
    return interrupt.status or report.exit_code
