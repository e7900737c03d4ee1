"""`jsonl-audit append`: one event from options, or JSON objects from standard input, a line each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import orjson

from jsonl_audit import record
from jsonl_audit.cli.event import event_of
from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.options import log_path, path_argument
from jsonl_audit.cli.parse import BadLineError, parse_object
from jsonl_audit.cli.shape import Shape, unparsed
from jsonl_audit.cli.stdin import Line, lines_of, reader_of_stdin
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError, on_terminal, say
from jsonl_audit.cli.writing import WRITING, open_log, settled, writing_options
from jsonl_audit.errors import EventError, StorageError

if TYPE_CHECKING:
    from jsonl_audit.log import AuditLog
    from jsonl_audit.writer.chain import Receipt

EXAMPLES = """\
\b
Examples:
  jsonl-audit append --type exec.denied --actor u1 --outcome denied --detail tool=bash
  jsonl-audit append --type device.revoked --actor ann --target type=device --target id=d-1
  jsonl-audit append --type job.done --actor id=u1 --detail seconds:=12.5 --set task=deploy-7
  zcat events.jsonl.gz | jsonl-audit append audit.jsonl
  zcat cloudtrail.jsonl.gz | jsonl-audit append --type-from eventName --time-from eventTime --wrap
  tail -F app.jsonl | jsonl-audit append --on-bad keep --fsync interval
"""


@click.command(epilog=EXAMPLES)
@path_argument
@click.option("--type", metavar="NAME", help="What happened: exec.denied. Alone or with others: appends one event.")
@click.option("--actor", multiple=True, metavar="ID | NAME=VALUE", help="Who: an id, or a member of the actor.")
@click.option("--target", multiple=True, metavar="ID | NAME=VALUE", help="On what: an id, or a member of the target.")
@click.option("--outcome", metavar="WORD", help="success, failure, denied, error.")
@click.option("--level", metavar="WORD", help="info, warn, error.")
@click.option("--detail", multiple=True, metavar="NAME=VALUE", help="A member of details.")
@click.option("--set", multiple=True, metavar="NAME=VALUE", help="Any other member: task=deploy-7, user=ann.")
@click.option("--time", metavar="WHEN", help="When it happened, if not now: RFC 3339, or epoch seconds.")
@click.option("--id", metavar="UUID", help="An id of your own.")
@click.option("--type-from", metavar="PATH", help="Lines: the member that names the type; without it --type.")
@click.option("--time-from", metavar="PATH", help="Lines: the member that says when it happened.")
@click.option("--wrap", is_flag=True, help="Lines: keep each object whole, under details.")
@click.option(
    "--on-bad", type=click.Choice(["skip", "stop", "keep"]),
    help="Lines: what to do about one that is no event: go on (the default), stop, or keep it as text.",
)  # fmt: skip
@click.option("--receipts", is_flag=True, help="Print a receipt for each record: line, seq, ts, id, hash.")
@writing_options
def command(path: str | None, **options: Any) -> int:
    """Append one event, or JSON objects from standard input.

    With --type, --actor, --detail … one event is appended. NAME=VALUE is text, NAME:=VALUE is JSON, a dotted NAME
    makes objects within objects. Without them each line of standard input is one event, appended as it comes.

    A line is refused if it is no JSON object, names a member twice, has a type that is no type name or begins with
    audit., or is too long; its number and the reason are said, the other lines go on, and the exit status is 1.
    --on-bad keep appends such a line as text in an event of type unparsed. Empty lines are passed over.

    With --type-from, characters that no type may have become underscores (the member itself stays as it is);
    without that member the type is --type, else custom. A --time-from member that is no time refuses the line.
    """
    writing = {name: options.pop(name) for name in WRITING}
    about_lines = [name for name in ("type_from", "time_from", "wrap", "on_bad") if options[name]]
    of_one = ("actor", "target", "outcome", "level", "detail", "set", "time", "id")
    about_one = [name for name in of_one if options[name] not in (None, ())]
    if about_lines and about_one:
        first, second = (f"--{names[0].replace('_', '-')}" for names in (about_one, about_lines))
        raise click.UsageError(f"{first} is for one event, {second} for lines from standard input; give one of them.")
    # An empty --type, as of a variable that is not set, is refused as a type: it must not mean standard input.
    alone = bool(about_one) or options["type"] is not None
    one = event_of(options) if alone and not about_lines else None
    out = Output() if options["receipts"] else None
    where = log_path(path)
    writing = settled(where, writing)
    with open_log(where, **writing) as log:
        if one is not None:
            _give(out, log.append(one), None)
            return _flush(out)
        shape = Shape(options["type"], options["type_from"], options["time_from"], options["wrap"])
        return _Lines(log, shape, options["on_bad"] or "skip", out).append_all()


def _give(out: Output | None, receipt: Receipt, line: int | None) -> None:
    if out is not None:
        shown = {} if line is None else {"line": line}
        out.write(orjson.dumps({**shown, **receipt._asdict()}) + b"\n")


def _flush(out: Output | None) -> int:
    if out is not None:
        out.flush()
    return 0


class _Lines:
    """Standard input on its way into a log. What one read gives is one commit; each record counts for itself."""

    def __init__(self, log: AuditLog, shape: Shape, on_bad: str, out: Output | None) -> None:
        self._log = log
        self._shape = shape
        self._on_bad = on_bad
        self._out = out
        self._appended = self._refused = self._kept = 0
        self._first = self._last = 0
        self._stopped = False

    def append_all(self) -> int:
        """Appends every line; the exit status."""
        if on_terminal(sys.stdin):
            say("reading JSON objects from the terminal, one a line; Ctrl-D ends, --help shows other ways")
        with Interrupt() as interrupt, Progress("appending") as progress:
            for group in lines_of(interrupt.reading(reader_of_stdin())):
                self._append(group)
                progress.at(f"{self._appended:,} records")
                if self._stopped:
                    break
        if self._refused or on_terminal(sys.stderr):
            say(self._summary())
        return interrupt.status or int(self._refused > 0)

    def _append(self, group: list[Line]) -> None:
        bodies, numbers = [], []
        for line in group:
            body = self._body(line)
            if body is not None:
                bodies.append(body)
                numbers.append(line.number)
            if self._stopped:
                break
        if not bodies:
            return
        try:
            receipts = self._log._commit([[body] for body in bodies])
        except StorageError as error:
            error.message += (
                f"; of the input, the lines from {numbers[0]} on are not known to be recorded: look at the last record "
                "(jsonl-audit tail -n 1) and go on behind it"
            )
            raise
        self._appended += len(receipts)
        self._first = self._first or receipts[0].seq
        self._last = receipts[-1].seq
        try:
            for receipt, number in zip(receipts, numbers, strict=True):
                _give(self._out, receipt, number)
            _flush(self._out)
        except ReaderGoneError:  # nobody wants the receipts; the records are wanted all the same
            self._out = None

    def _body(self, line: Line) -> record.Body | None:
        """What the record of a line will hold; None if there is none."""
        try:
            if line.text is None:
                raise BadLineError(f"{line.size:,} bytes; no line may be longer than {record.HARD_LIMIT:,}")
            return self._log._fitted(self._log._intake.body(self._shape.event(parse_object(line.text))))
        except (BadLineError, EventError) as error:
            return self._bad(line, str(error))

    def _bad(self, line: Line, why: str) -> record.Body | None:
        if self._on_bad == "keep" and line.text is not None:
            try:
                body = self._log._fitted(self._log._intake.body(unparsed(line.text, line.number, why)))
            except EventError:
                pass  # too long to be kept in any form
            else:
                self._kept += 1
                say(f"line {line.number}: {why}; kept as text")
                return body
        self._refused += 1
        self._stopped = self._on_bad == "stop"
        say(f"line {line.number}: {why}" + ("; stopped here" if self._stopped else ""))
        return None

    def _summary(self) -> str:
        words = f"{self._appended:,} record{'s' * (self._appended != 1)} appended"
        if self._appended:
            last = f" to {self._last}" * (self._last != self._first)
            words += f" (seq {self._first}{last})"
        if self._kept:
            words += f", {self._kept:,} of them kept as text"
        if self._refused:
            words += f", {self._refused:,} line{'s' * (self._refused != 1)} refused"
        return f"{self._log.path}: {words}"
