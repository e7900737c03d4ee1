"""`jsonl-audit verify`: whether anything was changed, removed, moved or put in; the exit status says it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import SECONDS, color_option, log_path
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError, say
from jsonl_audit.cli.visible import json_on_terminal, json_text, visible
from jsonl_audit.errors import AuditError

if TYPE_CHECKING:
    from jsonl_audit.verifier import Report

EXAMPLES = """\
\b
Examples:
  jsonl-audit verify
  jsonl-audit verify --full /var/log/gateway
  jsonl-audit verify archive/audit.*Z.jsonl
  jsonl-audit verify --copy /mnt/backup/gateway
  jsonl-audit verify --each /srv/*/audit.jsonl
  jsonl-audit verify --expect 1042:$(cat /mnt/elsewhere/head)
  jsonl-audit verify --against /mnt/backup/gateway /var/log/gateway
  jsonl-audit verify --report findings.html /var/log/gateway
  jsonl-audit verify --json | jq -c '.findings[]'
  ssh gateway tail -n +1 -F /var/log/gateway/audit.jsonl | jsonl-audit verify --stdin
  jsonl-audit verify -q || mail -s 'look at the audit log' root
"""
_COLOURS = {"intact": "green", "torn": "yellow", "empty": "yellow", "incomplete": "yellow"}
_WORST_LAST = (0, 3, 2, 4, 1)


@click.command(epilog=EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(readable=False), metavar="[PATH]...")
@click.option("--full", is_flag=True, help="Walk every line, instead of checking sealed segments by their digests.")
@click.option("--copy", is_flag=True, help="The files are copies that may be unfinished, renamed, merged or split.")
@click.option(
    "--expect", multiple=True, metavar="SEQ:HASH",
    help="An anchor noted elsewhere, or a file of receipts, a report or a manifest; again for more.",
)
@click.option("--against", metavar="OTHER", help="Compare with a copy: a log, a folder or a manifest.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
@click.option("--each", is_flag=True, help="Each PATH is a log of its own.")
@click.option("--all", "everything", is_flag=True, help="List every place, however many there are.")
@click.option("-q", "--quiet", is_flag=True, help="No report; the exit status says it.")
@click.option(
    "--report", type=click.Path(), metavar="FILE",
    help="Keep the examination as a document too: .html, .md or .json; it can be handed on, and repeated.",
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processors to use; all of them by default.")
@click.option("--stdin", "stream", is_flag=True, help="Check records from standard input, as they come, in any order.")
@click.option("--field", metavar="NAME", help="With --stdin: the member of a JSON wrapper that holds the line.")
@click.option(
    "--patience", type=SECONDS, default=10.0, show_default=True, metavar="SECONDS",
    help="With --stdin: how long a gap may be open before it is told.",
)  # fmt: skip
@color_option
def command(
    paths: tuple[str, ...], each: bool, stream: bool, field: str | None, patience: float, **options: Any
) -> int:
    """Check that nothing was changed, removed, moved or put in.

    One PATH is that log, with its sealed segments; several are exactly those files of one log, in any order and
    under any names; with --each, each is a log of its own. A log may be in use meanwhile. With --copy, all files
    of a folder that hold records are pieces of one log, and what is not finished is incomplete, not tampered. With
    --stdin, records are checked as a shipper delivers them: in any order, doubled, for as long as lines come.

    \b
    Exit status:
      0  intact, or torn as a crash leaves it
      1  tampered or forked, or a copy says something else
      2  wrong usage, not a log, a newer format
      3  empty, or incomplete: a part is not here, or not in the copy
      4  no such path, an I/O error

    What the log alone cannot show is that all of it was rewritten, or its end cut off: note a seq and its hash, any
    receipt, elsewhere, and give it with --expect.
    """
    if stream:
        given = [f"--{name}" for name in ("full", "copy", "expect", "against", "report", "workers") if options[name]]
        given += ["PATH"] * bool(paths) + ["--each"] * each
        if given:
            raise click.UsageError(f"--stdin is the lines of a stream: leave {' and '.join(given)} out")
        from jsonl_audit.cli.verify_stream import verify_stdin

        return verify_stdin(field=field, patience=patience, as_json=options["as_json"], quiet=options["quiet"])
    if field is not None:
        raise click.UsageError("--field is for the lines of a stream: it goes with --stdin")
    shown = _Shown(**options)
    if each and (options["expect"] or options["against"]):
        raise click.UsageError("--expect and --against are of one log: leave --each out")
    if each and options["report"]:
        raise click.UsageError("--report is of one log: leave --each out")
    if each:
        return shown.several(paths or (log_path(None),))
    if len(paths) > 1:
        return shown.one(list(paths))
    if paths and options["copy"]:
        return shown.one(paths[0])  # a folder means all files in it
    return shown.one(log_path(paths[0] if paths else None))


class _Shown:
    """How reports are shown."""

    def __init__(
        self,
        as_json: bool,
        everything: bool,
        quiet: bool,
        color: str,
        workers: int | None,
        report: str | None,
        against: str | None,
        **options: Any,
    ) -> None:
        self._against = against
        self._workers = workers
        self._report = report
        self._options = options if workers is None else {"workers": workers, **options}
        self._as_json = as_json
        self._limit = 0 if everything else 10
        self._quiet = quiet
        self._out = Output()
        self._paint = Paint(wanted(color, terminal=self._out.terminal))

    def one(self, path: str | list[str]) -> int:
        """The report of one log."""
        report = self._verify(path)
        status, shown, text = report.exit_code, report.to_dict(), self._text(report)
        if self._against is not None:
            from jsonl_audit.cli.diff import compared

            found = compared(path, self._against, self._workers)
            status = max(status, found.exit_code, key=_WORST_LAST.index)
            shown["against"] = found.to_dict()
            text += "".join(f"{line}\n" for line in ["", *visible_lines(str(found))]).encode()
        return self._print(json_text(shown, indent=True) if self._as_json else text, status)

    def several(self, paths: tuple[str, ...]) -> int:
        """A report for each log; the worst exit status."""
        worst = 0
        for number, path in enumerate(paths):
            try:
                report = self._verify(log_path(path))
            except (AuditError, OSError) as error:
                from jsonl_audit.cli.ending import status_and_words

                status, words = status_and_words(error)
                say(words)
                text = json_text({"path": path, "error": words, "exit": status}) if self._as_json else b""
            else:
                status = report.exit_code
                shown = {"path": path, **report.to_dict()}
                text = json_text(shown) if self._as_json else (b"\n" if number else b"") + self._text(report)
            worst = max(worst, self._print(text, status), key=_WORST_LAST.index)
        return worst

    def _verify(self, path: str | list[str]) -> Report:
        from jsonl_audit.accessed.verification import verify

        if self._report is not None:
            from jsonl_audit.cli.verify_report import examined

            return examined(path, self._report, **self._options)
        with Progress("verifying") as progress:
            return verify(path, progress=progress, **self._options)

    def _text(self, report: Report) -> bytes:
        first, *rest = visible_lines(report.text(self._limit))
        verdict, colon, words = first.partition(":")
        painted = self._paint(verdict, _COLOURS.get(report.verdict, "red"), bold=True) + colon + words
        kinds = {finding.kind for finding in report.findings}
        shown = [self._paint.bold(line) if line.partition(",")[0] in kinds else line for line in rest]
        return "".join(f"{line}\n" for line in [painted, *shown]).encode()

    def _print(self, text: bytes, status: int) -> int:
        """Prints, unless nothing is to be printed; the status is the verdict's, even where nobody reads it."""
        if not self._quiet:
            try:
                self._out.write(json_on_terminal(text) if self._out.terminal and self._as_json else text)
                self._out.flush()
            except ReaderGoneError:
                self._quiet = True
        return status


def visible_lines(text: str) -> list[str]:
    """The lines of a report. Names of files and damaged values in it are a stranger's."""
    return [visible(line) for line in text.split("\n")]
