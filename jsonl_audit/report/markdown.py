"""The report as Markdown: for a ticket or a repository, and readable as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blake3 import blake3

from jsonl_audit.report import words
from jsonl_audit.report.exhibits import Exhibit, Pair
from jsonl_audit.report.shown import dump, place, record_text, size, value
from jsonl_audit.report.steps import steps
from jsonl_audit.report.words import many
from jsonl_audit.verifier import explain
from jsonl_audit.visible import visible

if TYPE_CHECKING:
    from jsonl_audit.report.examination import Examination

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@-])")
_MOST = 500


def markdown(found: Examination) -> str:
    """The document."""
    return "\n".join(_document(found)) + "\n"


def _t(text: object) -> str:
    """Any text, so that nothing in it is markup.

    >>> print(_t("<script> *x*"))
    \\<script\\> \\*x\\*
    """
    return _SPECIAL.sub(r"\\\1", visible(str(text)))


def _c(text: object) -> str:
    """Any text as code in a line."""
    shown = visible(str(text))
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def _document(found: Examination) -> Iterator[str]:
    report, plain = found.report, words.plain(found.report, found.refusal)
    active = [each.name for each in found.files if each.role == "active"]
    name = next(iter([*active, *(each.name for each in found.files)]), found.path).removesuffix(".next")
    yield from (f"# Examination of the audit log {_name(name)}", "<!-- jsonl-audit-report 1 -->", "")
    yield from (f"**{plain.headline}.** {_t(plain.sentence)}", "")
    yield f"- Log: {_c(found.log or 'not told by any header')}"
    yield f"- Examined: {found.made}, named as {_c(found.path)}"
    if report is not None and report.records:
        yield f"- Records: {report.records:,}, of which {report.verified:,} are as they were committed"
        yield f"- Seqs: {value(report.first_seq)} to {value(report.last_seq)}; head {_c(report.head or '—')}"
    yield f"- Findings: {len(found.findings):,}"
    if report is not None:
        anchored = report.anchored
        yield f"- Anchored: {f'up to seq {anchored.through_seq:,}, by {anchored.by}' if anchored else 'no'}"
    yield from ("", "## 1. What this means")
    for title, sentences in (
        ("It shows", plain.rules_in), ("It rules out", plain.rules_out), ("It does not decide", plain.open),
    ):  # fmt: skip
        if sentences:
            yield from ("", f"**{title}**", "", *(f"- {_t(sentence)}" for sentence in sentences))
    yield from _files(found)
    yield from _timeline(found)
    yield from _findings(found)
    yield from ("", "## 5. Notes", "")
    notes = () if report is None else report.notes
    yield from (f"- **{note.kind}** {_c(note.segment or '')}: {_t(note.message)}" for note in notes[:_MOST])
    yield from () if notes else ("None.",)
    yield from ("", "## 6. How it was examined", "", f"- Command: {_c(found.command)}")
    yield from (f"- {name.capitalize()}: {_t(told)}" for name, told in found.by.items())
    how = "every line was walked" if report is not None and report.full else "sealed files by their digests"
    yield f"- For {found.seconds:.1f} s; {how}"
    yield from (f"- Held against seq {seq:,}, hash {_c(own)}" for seq, own in found.expected[:20])
    yield from ("", "## 7. Chain of custody", "")
    yield from (f"{number}. {_step(step)}" for number, step in enumerate(steps("report.md"), 1))
    yield from ("", f"The script has the BLAKE3 {_c(blake3(found.script.encode()).hexdigest())}.", "")
    yield from ("```sh examine", found.script.removesuffix("\n"), "```")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9./]+", name) else _c(name)


def _step(step: str) -> str:
    before, colon, command = step.partition(": ")
    return f"{_t(before)}: {_c(command)}" if colon and command.startswith(("sh ", "b3sum ", "sed ")) else _t(step)


def _files(found: Examination) -> Iterator[str]:
    total = sum(each.bytes for each in found.files)
    yield from ("", "## 2. What was examined", "")
    yield f"{many(len(found.files), 'file')}, {size(total)}, in {_c(found.folder)}."
    for each in found.files[:_MOST]:
        held = "no right header" if each.segment is None else f"segment {each.segment:,}"
        yield from ("", f"**{each.number}. {_c(each.name)}** ({each.role}, {held})", "")
        yield f"- {size(each.bytes)}; seq {value(each.first_seq)} to {value(each.last_seq)}"
        yield f"- records of {each.first_ts} to {each.last_ts}"
        yield f"- BLAKE3 {_c(each.blake3)}"
        yield f"- SHA-256 {_c(each.sha256)}"
        yield f"- modified {each.modified}, owner {_t(each.owner)}, group {_t(each.group)}, mode {each.mode}"
    if len(found.files) > _MOST:
        yield from ("", f"And {len(found.files) - _MOST:,} more, which the script below lists with their digests.")


def _timeline(found: Examination) -> Iterator[str]:
    yield from ("", "## 3. Timeline", "", "```text")
    shown = [span for span in found.spans if span.state != "whole"] if len(found.spans) > _MOST else found.spans
    for span in shown[:_MOST]:
        told = span.to_dict()
        number = f"{span.segment}" if span.segment == span.last_segment else f"{span.segment}-{span.last_segment}"
        yield (
            f"segment {number:>9}  {span.state:<8} seq {span.first_seq:>12,} to {span.last_seq:>12,}  "
            f"{told['since'][:19]} to {told['until'][:19]}"
        )
    for event in [event for event in found.events if event.kind != "sealed"][:_MOST]:
        times = f" ({event.times:,} records in a row)" if event.times > 1 else ""
        yield f"{event.ts}  seq {event.seq:>10,}  {visible(event.text)}{times}"
    yield "```"


def _findings(found: Examination) -> Iterator[str]:
    yield from ("", "## 4. Findings", "")
    if not found.findings:
        yield "None."
        return
    for kind, count in Counter(finding.kind for finding in found.findings).items():
        means, then = explain.meaning(kind)
        yield f"- **{kind}**, {many(count, 'place')}: {_t(means)}. {_t(then)}"
    for exhibit in found.exhibits:
        yield from _exhibit(exhibit)
    shown = {exhibit.number for exhibit in found.exhibits}
    numbers = {each.name.rpartition("/")[2]: each for each in reversed(found.files)}
    if len(shown) < len(found.findings):
        yield from ("", "### The others", "")
    for number, finding in enumerate(found.findings, 1):
        if number not in shown:
            each = numbers.get(finding.segment or "")
            look = f"; `show {each.number} {finding.line}`" if each is not None and finding.line is not None else ""
            differs = f" (expected {_t(value(finding.expected))}, found {_t(value(finding.actual))})"
            yield f"- {number}. {finding.kind}, {_t(place(finding, each))}: {_t(finding.message)}{differs}{look}"


def _exhibit(exhibit: Exhibit) -> Iterator[str]:
    finding = exhibit.finding
    yield from ("", f"### {exhibit.number}. {finding.kind}", "")
    yield f"{_t(place(finding, exhibit.file))}: {_t(finding.message)}."
    for pair in exhibit.pairs:
        yield from ("", f"{_t(pair.what)}:", "", "```text", *_pair(pair), "```")
    for remark in exhibit.remarks:
        yield from ("", _t(remark))
    if exhibit.line is not None:
        yield from ("", "```text")
        for line in (*exhibit.before, exhibit.line, *exhibit.after):
            sign = ">" if line is exhibit.line else " "
            number = "" if line.number is None else f"line {line.number}, "
            text = record_text(line)
            yield f"{sign} {number}byte {line.offset}:"
            # In pieces: a report that lies among copies of the log must not be taken for one of them.
            yield from (f"{sign}   {text[at : at + 88]}" for at in range(0, len(text), 88))
        yield "```"
    if exhibit.commands:
        yield from ("", "```sh")
        for command in exhibit.commands:
            yield from (f"# {visible(command.why)}", visible(command.line))
            if command.prints:
                yield f"#> {visible(command.prints)}"
        yield "```"


def _pair(pair: Pair) -> Iterator[str]:
    for name, data in (("expected", pair.expected), ("found", pair.found)):
        if not data:
            yield f"{name:<9}{'not known' if data is None else 'nothing'}"
        elif pair.raw:
            for number, (_, pairs, characters) in enumerate(dump(data)):
                yield f"{name if not number else '':<9}{' '.join(pairs):<47}  {''.join(characters)}"
        else:
            yield f"{name:<9}{visible(data.decode('utf-8', 'backslashreplace'))}"
