"""`jsonl-audit demo`: the whole story in a temporary folder, in seconds, through the same functions as everybody's."""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.demo_damage import DAMAGES, Damage
from jsonl_audit.cli.demo_events import afternoon, careless
from jsonl_audit.cli.demo_page import WIDTH, Page
from jsonl_audit.cli.options import color_option
from jsonl_audit.cli.output import make_form
from jsonl_audit.cli.streams import Output
from jsonl_audit.cli.visible import human_size
from jsonl_audit.log import AuditLog
from jsonl_audit.segment import Names

if TYPE_CHECKING:
    from jsonl_audit.verifier import Finding, Report

EXAMPLES = """\
\b
Examples:
  jsonl-audit demo
  jsonl-audit demo --keep
"""
EVENTS = 420
MAX_BYTES = 48 * 1024
PATIENCE = 1.5
"""Seconds that single appends may take; on a slow disk the rest is appended in groups."""
_VERDICT_COLOURS = {"intact": "green", "torn": "green", "empty": "yellow", "incomplete": "yellow"}


@click.command(epilog=EXAMPLES)
@click.option("--keep", is_flag=True, help="Leave the folder, with the log and the damaged copies, and say where.")
@color_option
def command(keep: bool, color: str) -> int:
    """See the whole story, in a temporary folder, in seconds.

    Writes made-up events of an agent platform, lets the log rotate, reads it, searches it, verifies it; then damages
    copies of it in five ways and shows what is said of each. Exits with 1 if anything is not as it should be.
    """
    out = Output()
    page = Page(out, Paint(wanted(color, terminal=out.terminal)))
    with _folder(keep) as folder:
        story = Story(page, folder)
        story.tell()
        if keep:
            page.text("", f"Everything of this is still in {folder}")
        page.show()
    return int(not story.as_expected)


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="jsonl-audit-demo-"))
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)


class Story:
    """The demo, told on a page, with its files in one folder."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.as_expected = True
        self._page = page
        self._folder = folder
        self._log = folder / "audit.jsonl"
        self._began = time.perf_counter()

    def tell(self) -> None:
        """All of it, in order."""
        page = self._page
        page.title("jsonl-audit", "an audit log that proves its own integrity")
        self._append()
        page.show()
        self._tail()
        self._query()
        self._redact()
        self._verify()
        page.show()
        self._damage()
        self._end()

    def _append(self) -> None:
        page, began, single = self._page, time.perf_counter(), 0
        page.section("An agent platform at work", "AuditLog.append(…)")
        with AuditLog(self._log, max_bytes=MAX_BYTES) as log:
            events = list(afternoon(EVENTS))
            for event in events:
                log.append(event)
                single += 1
                if time.perf_counter() - began > PATIENCE:
                    break
            seconds = time.perf_counter() - began
            for at in range(single, EVENTS, 50):
                log.append_group(events[at : at + 50])
        page.text(
            f"{single} events, one by one, {seconds / single * 1000:.2f} ms each: every one was on disk",
            "before its append returned, and is bound by hash to the one before it.",
        )
        if single < EVENTS:
            page.text(f"(This disk takes its time, so the other {EVENTS - single} went in groups of 50.)")
        page.text("")
        page.files(self._files())
        page.text(
            "",
            "Plain JSON lines, an event each. A file that is full is sealed, and the next",
            "one vouches for it.",
        )

    def _files(self) -> list[tuple[str, str, str, str]]:
        from jsonl_audit.reader import info

        return [
            (
                segment.name,
                human_size(segment.size),
                f"seq {segment.first_seq} to {segment.last_seq}",
                "active" if segment.active else "sealed",
            )
            for segment in info(self._log, types=False).segments
        ]

    def _tail(self) -> None:
        from jsonl_audit.reader import tail_lines

        self._page.section("The latest", "jsonl-audit tail -n 4")
        self._show(tail_lines(self._log, 4))

    def _query(self) -> None:
        from jsonl_audit.reader import query_lines

        command = "jsonl-audit query --type exec.denied -o table"
        self._page.section("What was an agent kept from?", command)
        began = time.perf_counter()
        lines = list(query_lines(self._log, type="exec.denied"))
        took = time.perf_counter() - began
        self._show(lines[:4], "table", ("seq", "actor.id", "details.command", "details.risk"))
        self._page.text("", self._page.paint.dim(f"{len(lines)} found in {took * 1000:.1f} ms, the first 4 shown"))
        if not lines:
            self._wrong("no exec.denied was found")

    def _redact(self) -> None:
        self._page.section("What an agent was given, and the log must not keep", "AuditLog.append(…)")
        event, secrets = careless()
        with AuditLog(self._log, max_bytes=MAX_BYTES) as log:
            log.append(event)
            (record,) = log.tail(1)
        self._page.text(
            f"command   {record['details']['command']}",
            *(f"env       {name}={value}" for name, value in record["details"]["env"].items()),
            f"redacted  {', '.join(f'{count} {kind}' for kind, count in record['redacted'].items())}",
            "",
        )
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        found = [path.name for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]
        self._page.result(not found, "not on disk", f"{len(files)} files searched for its {len(secrets)} secrets")
        if found:
            self._wrong(f"a secret lies in {', '.join(found)}")

    def _show(self, lines: list[bytes], name: str = "short", fields: Sequence[str] = ()) -> None:
        form = make_form(name, _Narrow(self._page), self._page.paint, fields)
        for line in lines:
            form.put(line)
        form.end()

    def _verify(self) -> None:
        self._page.section("Is it whole?", "jsonl-audit verify")
        from jsonl_audit.verifier import verify

        began = time.perf_counter()
        report = verify(self._log)
        took = time.perf_counter() - began
        words = f"{report.total} records in {len(self._files())} files, checked in {took * 1000:.1f} ms"
        self._page.result(report.ok, report.verdict, words)
        if report.verdict != "intact" or report.findings:
            self._wrong(f"the log should be intact, and is {report.verdict}")

    def _verdict_of(self, log: Path) -> Report:
        from jsonl_audit.verifier import verify

        return verify(log)

    def _damage(self) -> None:
        self._page.section("Five things that happen to logs, each done to a copy of this one")
        for letter, damage in zip("abcde", DAMAGES, strict=True):
            copy = self._folder / f"copy-{letter}"
            copy.mkdir()
            for name in (self._log.name, *(os.path.basename(path) for path in Names.of(self._log).list_sealed())):
                shutil.copy2(self._folder / name, copy / name)
            damage.do(copy / self._log.name)
            self._judge(letter, damage, copy / self._log.name)
            self._page.show()

    def _judge(self, letter: str, damage: Damage, log: Path) -> None:
        page, report = self._page, self._verdict_of(log)
        page.case(letter, damage.title, damage.story)
        found = [finding for finding in report.findings if finding.kind in damage.kinds]
        page.result(
            report.ok, report.verdict, found[0].kind if found else "", _VERDICT_COLOURS.get(report.verdict, "red")
        )
        if found:
            page.text(*(f"  {line}" for line in _told(found[0])))
        page.text(page.paint.dim("  " + damage.meaning))
        if report.verdict != damage.verdict or not found:
            named = ", ".join(sorted({finding.kind for finding in report.findings})) or "nothing"
            self._wrong(f"expected {damage.verdict}, {' or '.join(sorted(damage.kinds))}; got {named}")
        if report.verdict == "torn":
            self._recover(log)

    def _recover(self, log: Path) -> None:
        """A crash is no end: the normal open goes on behind what is there."""
        import logging

        logger = logging.getLogger("jsonl_audit")
        before, logger.disabled = logger.disabled, True  # what opening found is told here, in the page's own words
        try:
            with AuditLog(log) as reopened:
                receipt = reopened.append("system.start", details={"after": "a power cut"})
        finally:
            logger.disabled = before
        report = self._verdict_of(log)
        words = f"opened again, it went on with seq {receipt.seq}; nothing was overwritten"
        self._page.result(report.ok, report.verdict, words)
        if report.verdict != "intact":
            self._wrong("after a crash the log should go on and be intact")

    def _end(self) -> None:
        page, report = self._page, self._verdict_of(self._log)
        page.section("What no chain can show by itself")
        page.text(
            "That all of it was rewritten, or its end cut off, by somebody who may write",
            "every file. So note the newest head elsewhere, now and then:",
            "",
            f"seq   {report.last_seq}",
            f"head  {report.head}",
            "",
            page.paint.bold("Now yours:"),
            *(page.paint(words, "cyan") for words in (
                "jsonl-audit append --type hello.world --actor me",
                "jsonl-audit tail",
                "jsonl-audit verify",
            )),
            "",
            page.paint.dim(f"(All of this took {time.perf_counter() - self._began:.1f} s.)"),
        )  # fmt: skip

    def _wrong(self, words: str) -> None:
        self.as_expected = False
        self._page.result(False, "not as expected", words)


class _Narrow(Output):
    """Output that puts each line into a page, as if on a terminal of its width."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self.terminal = True

    @property
    def columns(self) -> int:
        return WIDTH

    def line(self, text: str) -> None:
        self._page.line(text)


def _told(finding: Finding) -> list[str]:
    """Where a finding is, and what it says, in lines that fit the page."""
    where = [] if finding.segment is None else [finding.segment]
    where += [f"{name} {value}" for name, value in (("line", finding.line), ("seq", finding.seq)) if value is not None]
    return textwrap.wrap(f"{', '.join(where)}: {finding.message}", WIDTH - 5, break_on_hyphens=False)
