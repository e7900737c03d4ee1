"""`jsonl-audit collect`: records from standard input, back into the segments that they were committed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.stdin import reader_of_stdin
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError, say
from jsonl_audit.cli.visible import visible

if TYPE_CHECKING:
    from jsonl_audit.receive import Collected, StreamFinding

EXAMPLES = """\
\b
Examples:
  cat audit*.jsonl | jsonl-audit collect /srv/received
  ssh gateway tail -n +1 -F /var/log/gateway/audit.jsonl | jsonl-audit collect /srv/received
  nc -lk 5514 | jsonl-audit collect --json /srv/received
  kubectl logs -f gateway | jsonl-audit collect --field log /srv/received
"""
_TICK = 1.0


@click.command(epilog=EXAMPLES)
@click.argument("directory", type=click.Path(readable=False), metavar="DIR")
@click.option("--field", metavar="NAME", help="The member of a JSON wrapper that holds the line; any text by default.")
@click.option(
    "--patience", type=click.FloatRange(min=0), default=10.0, show_default=True, metavar="SECONDS",
    help="How long a gap may be open before it is told.",
)  # fmt: skip
@click.option("--no-verify", is_flag=True, help="Do not verify what lies there when the stream ends.")
@click.option("--json", "as_json", is_flag=True, help="Each finding as a JSON object in a line, then the report.")
@click.option("-q", "--quiet", is_flag=True, help="No report, no words; the exit status says it.")
def command(directory: str, field: str | None, patience: float, no_verify: bool, as_json: bool, quiet: bool) -> int:
    """Put records from standard input back into segments, byte for byte.

    They may come in any order, doubled, from several logs, behind a syslog prefix or in JSON wrappers, and in several
    runs. Each log gets a folder of its own, DIR/<uuid of the log>, with the file names of the source. What waits for a
    record that has not come, and lines that are no whole record, lie in DIR/.collect.

    \b
    Exit status:
      0  all that is here is whole, or torn as a crash leaves it
      1  changed lines, two histories: see DIR/.collect/aside.jsonl
      2  wrong usage, something else in DIR
      3  no record, or some are missing
      4  an I/O error, no space, another collector at work
    """
    from jsonl_audit.receive.collecting import GapWatch, report_of
    from jsonl_audit.receive.collector import Collector

    shown = _Shown(as_json=as_json, quiet=quiet)
    with (
        Interrupt() as interrupt,
        Progress("collecting") as progress,
        Collector(directory, field=field, tell=shown.tell) as collector,
    ):
        watch = GapWatch(collector, patience)
        read = interrupt.reading(reader_of_stdin(), every=_TICK)
        while data := read():
            if data != interrupt.TICK:
                collector.feed(data)
            else:
                collector.flush()
            watch.look()
            progress.at(f"{collector.records:,} records, {len(collector.waiting):,} wait")
        collector.finish()
        watch.look(ended=True)
        collected = report_of(collector, check=not (no_verify or interrupt.status))
    shown.report(collected)
    return interrupt.status or collected.exit_code


class _Shown:
    """How findings and the report are shown."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._out = Output()

    def tell(self, finding: StreamFinding) -> None:
        """A finding, as it comes."""
        if self._quiet:
            return
        if self._as_json:
            self._print(orjson.dumps(finding.to_dict(), default=repr) + b"\n")
            return
        where = f"log {finding.log[:8]}: " if finding.log else ""
        line = f"line {finding.line}: " if finding.line else ""
        say(f"{line}{where}{finding.kind}: {finding.message}")

    def report(self, collected: Collected) -> None:
        """The report, at the end."""
        if self._quiet:
            return
        if self._as_json:
            self._print(orjson.dumps({"kind": "report", **collected.to_dict()}, default=repr) + b"\n")
        else:
            self._print("".join(f"{visible(line)}\n" for line in str(collected).split("\n")).encode())

    def _print(self, data: bytes) -> None:
        try:
            self._out.write(data)
            self._out.flush()
        except ReaderGoneError:
            self._quiet = True
