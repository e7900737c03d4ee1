"""The report as one page of HTML: no script, nothing from elsewhere, for the screen, the telephone and paper."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from blake3 import blake3

from jsonl_audit.report import words
from jsonl_audit.report.exhibit_page import exhibit_html
from jsonl_audit.report.shown import html, place, size, value
from jsonl_audit.report.steps import steps
from jsonl_audit.report.timeline import draw
from jsonl_audit.report.words import many
from jsonl_audit.verifier import explain

if TYPE_CHECKING:
    from jsonl_audit.report.examination import Examination
    from jsonl_audit.report.facts import Examined

__all__ = ["page"]

_ROLES = {
    "active": "The active file", "sealed": "A sealed file", "file": "A file given by name", "piece": "A file with",
    "joined": "A segment", "loose": "A piece of a segment",
}  # fmt: skip
_FILES, _EVENTS, _GROUP = 500, 200, 200


def page(found: Examination) -> str:
    """The page."""
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    title = f"Examination of the audit log {html(_name(found))}"
    head = (
        '<!DOCTYPE html>\n<!-- jsonl-audit-report 1 -->\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_plain_title(found)}</title>\n<style>\n{style}</style></head>\n"
    )
    body = [
        (f'<body class="{found.verdict.replace(" ", "-")}"><main>\n<header><p class="over">Forensic report</p>'
        f"<h1>{title}</h1>"),
        *_summary(found),
        "</header>\n",
        *_meaning(found),
        *_files(found),
        *_timeline(found),
        *_findings(found),
        *_notes(found),
        *_method(found),
        *_custody(found),
        "</main></body></html>\n",
    ]
    return head + "".join(body)


def _name(found: Examination) -> str:
    active = [each.name for each in found.files if each.role == "active"]
    return next(iter([*active, *(each.name for each in found.files)]), found.path).removesuffix(".next")


def _plain_title(found: Examination) -> str:
    from jsonl_audit.visible import visible

    return escape(visible(f"{found.verdict}: examination of {_name(found)}"))


def _summary(found: Examination) -> Iterator[str]:
    plain = words.plain(found.report, found.refusal)
    report = found.report
    yield f'<div class="verdict"><p class="word">{plain.headline}</p><p>{html(plain.sentence)}</p></div>\n'
    yield '<dl class="facts">'
    rows = [("Log", found.log or "not told by any header"), ("Examined", _instant(found.made))]
    rows.append(("Named as", found.path))
    if report is not None and report.records:
        rows.append(("Records", f"{report.records:,}, of which {report.verified:,} are as they were committed"))
        rows.append(("Seqs", f"{value(report.first_seq)} to {value(report.last_seq)}"))
        rows.append(("Head", report.head or "—"))
    rows.append(("Findings", f"{len(found.findings):,}"))
    if report is not None:
        anchored = report.anchored
        told = f"up to seq {anchored.through_seq:,}, by {anchored.by}" if anchored else "no"
        rows.append(("Anchored", told))
    for name, told in rows:
        yield f"<dt>{name}</dt><dd>{_hash(told)}</dd>"
    yield "</dl>"


def _instant(text: str | None) -> str:
    if text is None:
        return "—"
    return f"{text[:10]} {text[11:19]} UTC"


def _section(title: str, name: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>\n'


def _meaning(found: Examination) -> Iterator[str]:
    plain = words.plain(found.report, found.refusal)
    yield _section("What this means", "meaning")
    for title, sentences in (
        ("It shows", plain.rules_in), ("It rules out", plain.rules_out), ("It does not decide", plain.open),
    ):  # fmt: skip
        if sentences:
            yield f"<h3>{title}</h3><ul>{''.join(f'<li>{html(sentence)}</li>' for sentence in sentences)}</ul>\n"
    yield "</section>\n"


def _files(found: Examination) -> Iterator[str]:
    yield _section("What was examined", "files")
    total = sum(each.bytes for each in found.files)
    yield f"<p>{many(len(found.files), 'file')}, {size(total)}, in <code>{html(found.folder)}</code>, as they lay "
    yield "there when they were read. The digests are of the bytes that the verdict is about.</p>\n"
    wrong = {finding.segment for finding in found.findings}
    shown = found.files
    if len(shown) > _FILES:
        shown = tuple(
            each for number, each in enumerate(shown)
            if number < _FILES // 2 or number >= len(found.files) - 100 or _base(each) in wrong
        )[: 2 * _FILES]  # fmt: skip
        yield f"<p>{len(shown):,} of them are shown; the script below lists all, with their digests.</p>\n"
    yield from (_file(each, altered=_base(each) in wrong) for each in shown)
    yield "</section>\n"


def _base(each: Examined) -> str:
    return each.name.rpartition("/")[2]


def _file(each: Examined, *, altered: bool) -> str:
    what = _ROLES[each.role]
    held = "pieces of segments" if each.role == "piece" else "what it goes on from is not here"
    if each.role not in ("piece", "loose"):
        held = "it does not begin with a header that is right"
    if each.segment is not None and each.role != "piece":
        held = f"segment {each.segment:,}"
    if each.first_seq is not None and each.role != "piece":
        held += f", seq {value(each.first_seq)} to {value(each.last_seq)}"
        held += f", from {_instant(each.first_ts)} to {_instant(each.last_ts)}"
    unpacked = f", {each.content_bytes:,} unpacked" if each.content_bytes != each.bytes else ""
    said = ""
    if "synced" in each.said:
        said += f" Its lock file says that {each.said['synced']:,} bytes were on the disk."
    if "busy" in each.said:
        said += " Somebody held its lock while it was read."
    if each.parts:
        parts = (f"bytes {start:,} to {stop:,} of file {number}" for number, start, stop in each.parts)
        said += f" Put together from {', '.join(parts)}."
    mark = ' class="wrong"' if altered else ""
    times = (
        f"<p>Modified {_short(each.modified)}, inode changed {_short(each.changed)}. Owner {html(each.owner)}, "
        f"group {html(each.group)}, mode {each.mode}, inode {each.inode}.</p>"
    )
    return (
        f'<div class="file" id="file-{each.number}"><h3{mark}>{each.number}. <code>{html(each.name)}</code></h3>'
        f"<p>{what}{'' if each.role == 'piece' else ':'} {html(held)}. {size(each.bytes)}{unpacked}.{said}</p>"
        f"<dl><dt>BLAKE3</dt><dd>{_hash(each.blake3)}</dd><dt>SHA-256</dt><dd>{_hash(each.sha256)}</dd></dl>"
        f"{'' if each.parts else times}</div>\n"
    )


def _hash(text: str) -> str:
    """Two halves: where a line has no room for all, it breaks in the middle."""
    return f"<code>{html(text[:32])}<wbr>{html(text[32:])}</code>" if len(text) == 64 else html(text)


def _short(text: str | None) -> str:
    return "—" if text is None else text.replace("T", " ", 1)


def _timeline(found: Examination) -> Iterator[str]:
    yield _section("Timeline", "timeline")
    if not found.spans:
        yield "<p>No file here begins with a header, so nothing can be drawn.</p></section>\n"
        return
    places = found.places()
    yield '<figure><div class="wide">' + draw(found.spans, places, 920) + "</div>"
    yield '<div class="slim">' + draw(found.spans, places, 360) + "</div><figcaption>"
    yield "Segments, to scale. " + " ".join(_legend(found)) + "</figcaption></figure>\n"
    gaps = [span for span in found.spans if span.state in ("missing", "purged")]
    if gaps:
        yield "<h3>Gaps</h3><ul>"
        for span in gaps[:_EVENTS]:
            which = f"segment {span.segment:,}"
            if span.last_segment > span.segment:
                which = f"segments {span.segment:,} to {span.last_segment:,}"
            yield f"<li>{which}, seq {span.first_seq:,} to {span.last_seq:,}: {span.state}</li>"
        yield "</ul>\n"
    yield from _events(found)
    yield "</section>\n"


def _legend(found: Examination) -> Iterator[str]:
    states = {span.state for span in found.spans} | {event.kind for event in found.events}
    words_ = {
        "whole": "whole", "damaged": "with findings", "torn": "torn end", "missing": "not here", "purged": "purged",
        "restart": "▲ start of the program", "crash": "✕ crash", "lost": "✕ records lost", "clock": "◆ clock set back",
        "settings": "■ other settings",
    }  # fmt: skip
    for state, said in words_.items():
        if state in states:
            sign = "" if said[0] in "▲✕◆■" else f'<b class="key {state}"></b>'
            yield f'<span class="legend">{sign}{said}</span>'


def _events(found: Examination) -> Iterator[str]:
    if not found.events:
        return
    counts = Counter(event.kind for event in found.events)
    told = ", ".join(f"{count:,}\u00a0×\u00a0{kind}" for kind, count in counts.most_common())
    quiet = [event for event in found.events if event.kind != "sealed"] or list(found.events)
    yield f"<h3>What the log says of its own life</h3><p>{html(told)}."
    if len(quiet) > _EVENTS or found.more_events:
        yield f" The first {min(len(quiet), _EVENTS):,} are shown."
    yield '</p><ol class="events">'
    for event in quiet[:_EVENTS]:
        times = f" ({event.times:,} records in a row)" if event.times > 1 else ""
        yield f"<li><b>{html(_instant(event.ts))}</b> seq {event.seq:,}: {html(event.text)}{times}</li>"
    yield "</ol>\n"


def _findings(found: Examination) -> Iterator[str]:
    yield _section("Findings", "findings")
    if not found.findings:
        yield "<p>None.</p></section>\n"
        return
    counts = Counter(finding.kind for finding in found.findings)
    yield '<dl class="kinds">'
    for kind, count in counts.items():
        means, then = explain.meaning(kind)
        yield f"<dt>{kind} <span>{many(count, 'place')}</span></dt>"
        yield f"<dd>{html(means[:1].upper() + means[1:])}. {html(then)}</dd>"
    yield "</dl>\n"
    left = len(found.findings) - len(found.exhibits)
    if left:
        yield f"<p>{len(found.exhibits):,} of them follow with all that backs them, the others below, each with its "
        yield "place.</p>\n"
    yield from map(exhibit_html, found.exhibits)
    if left:
        yield f'<h3 id="others">The other {many(left, "finding")}</h3>\n<p>What stands in a line is shown by the '
        yield "script of the last section: <code>sh examine.sh show FILE LINE FOLDER</code>, with the numbers "
        yield "given here.</p>\n"
        yield from _others(found)
    yield "</section>\n"


def _others(found: Examination) -> Iterator[str]:
    """The findings that are not shown in full, in groups: a browser lays out those that are looked at."""
    shown = {exhibit.number for exhibit in found.exhibits}
    numbers = {_base(each): each for each in reversed(found.files)}
    count = 0
    for number, finding in enumerate(found.findings, 1):
        if number in shown:
            continue
        if count % _GROUP == 0:
            yield ("</ol>\n" if count else "") + '<ol class="others">'
        count += 1
        each = numbers.get(finding.segment or "")
        look = ""
        if each is not None and finding.line is not None:
            look = f" <code>show {each.number} {finding.line}</code>"
        told = ""
        if finding.expected is not None or finding.actual is not None:
            told = f" <small>expected {html(value(finding.expected))}, found {html(value(finding.actual))}</small>"
        where = html(place(finding, each))
        yield f'<li value="{number}"><b>{finding.kind}</b> {where}: {html(finding.message)}{told}{look}</li>'
    yield "</ol>\n"


def _notes(found: Examination) -> Iterator[str]:
    notes = () if found.report is None else found.report.notes
    yield _section("Notes", "notes") + "<p>What is worth knowing and changes nothing of the verdict.</p>"
    if not notes:
        yield "<p>None.</p>"
    yield "<ul>" if notes else ""
    for note in notes[:_FILES]:
        where = "" if note.segment is None else f" in <code>{html(note.segment)}</code>"
        at = "" if note.offset is None else f", byte {note.offset:,}"
        yield f"<li><b>{note.kind}</b>{where}{at}: {html(note.message)}</li>"
    yield "</ul>" if notes else ""
    if len(notes) > _FILES:
        yield f"<p>And {len(notes) - _FILES:,} more.</p>"
    yield "</section>\n"


def _method(found: Examination) -> Iterator[str]:
    yield _section("How it was examined", "method") + '<dl class="facts">'
    rows = [("Command", found.command), ("Program", found.by["program"]), ("Python", found.by["python"])]
    rows += [("Machine", f"{found.by['host']}, {found.by['system']}"), ("By", found.by["user"])]
    rows += [("When", f"{_short(found.made)}, for {found.seconds:.1f} s; the machine's zone is {found.by['timezone']}")]
    for seq, own in found.expected[:20]:
        rows.append(("Held against", f"seq {seq:,}, hash {own}"))
    yield "".join(f"<dt>{name}</dt><dd>{html(told)}</dd>" for name, told in rows) + "</dl>\n"
    full = found.report is not None and found.report.full
    yield "<p>Nothing was written to the log. " + (
        "Every line of every file was walked: its own hash, its link to the line before, its seq and time, and "
        "every rule "
        "of the format."
        if full else
        "Sealed files were checked by the digest that the header of the next file carries; the newest file, and "
        "whatever "
        "disagreed, was walked line by line."
    ) + (
        " A record is a line; its hash is the BLAKE3 of the line up to that hash; its <code>prev</code> is the hash "
        "of the "
        "record before. So one changed byte changes a hash that the next record, and all behind it, were made with.</p>"
        "</section>\n"
    )  # fmt: skip


def _custody(found: Examination) -> Iterator[str]:
    digest = blake3(found.script.encode()).hexdigest()
    yield _section("Chain of custody", "custody")
    yield "<p>Whoever receives this report and the files can repeat the examination without the program that "
    yield "made it.</p><ol>"
    yield "".join(f"<li>{_step(step)}</li>" for step in steps("report.html"))
    yield f'</ol>\n<p>The script below has the BLAKE3 <code>{digest}</code>. It can be <a download="examine.sh" '
    yield f'href="data:text/plain;base64,{b64encode(found.script.encode()).decode()}">saved from here</a> too.</p>\n'
    yield '<table class="hands"><thead><tr><th>Handed over by</th><th>Received by</th><th>When</th>'
    yield "<th>Signatures</th></tr>"
    yield f"</thead><tbody>{'<tr><td></td><td></td><td></td><td></td></tr>' * 3}</tbody></table>\n"
    yield f'<h3>examine.sh</h3>\n<pre id="script">\n{escape(found.script, quote=False)}</pre>\n</section>\n'


def _step(step: str) -> str:
    """A step, with the command in it set as such."""
    before, colon, command = step.partition(": ")
    if not colon or not command.startswith(("sh ", "b3sum ", "sed ")):
        return html(step)
    command, comma, behind = command.partition(", with the number")
    return f"{html(before)}: <code>{html(command)}</code>{html(comma + behind)}"


