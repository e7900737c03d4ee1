"""One finding as HTML: what was expected and found, the records around it, and the commands that show it."""

from __future__ import annotations

from collections.abc import Iterator

from jsonl_audit.report.around import Line
from jsonl_audit.report.exhibits import Exhibit, Pair
from jsonl_audit.report.shown import dump, html, place, record_html

__all__ = ["exhibit_html"]


def exhibit_html(exhibit: Exhibit) -> str:
    """The finding."""
    return "".join(_parts(exhibit))


def _parts(exhibit: Exhibit) -> Iterator[str]:
    finding = exhibit.finding
    yield f'<article id="finding-{exhibit.number}"><h3>{exhibit.number}. {finding.kind}</h3>'
    yield f'<p class="at">{html(place(finding, exhibit.file))}</p>'
    yield f"<p>{html(finding.message[:1].upper() + finding.message[1:])}.</p>\n"
    for pair in exhibit.pairs:
        yield from _pair(pair)
    for remark in exhibit.remarks:
        yield f'<p class="remark">{html(remark)}</p>\n'
    if exhibit.line is not None:
        yield '<h4>The records around it</h4><ol class="lines">'
        for line in exhibit.before:
            yield _line(line, "")
        yield _line(exhibit.line, ' class="here"')
        for line in exhibit.after:
            yield _line(line, "")
        yield "</ol>\n"
    if exhibit.commands:
        yield '<h4>By hand</h4><pre class="sh">'
        for command in exhibit.commands:
            yield f"<s># {html(command.why)}</s>\n{html(command.line)}\n"
            if command.prints:
                yield f"<s>#&gt; {html(command.prints)}</s>\n"
        yield "</pre>"
    yield "</article>\n"


def _line(line: Line, how: str) -> str:
    number = "" if line.number is None else f"line {line.number:,}, "
    seq = "" if line.seq is None else f"seq {line.seq:,}, "
    return f"<li{how}><small>{number}{seq}byte {line.offset:,}</small> <code>{record_html(line)}</code></li>"


def _pair(pair: Pair) -> Iterator[str]:
    yield f'<table class="pair"><caption>{html(pair.what)}</caption>'
    for name, data, other in (("expected", pair.expected, pair.found), ("found", pair.found, pair.expected)):
        if data is None:
            cell = "<em>not known</em>"
        elif not data:
            cell = "<em>nothing</em>"
        elif pair.raw:
            cell = f"<pre>{_hexadecimal(data, other)}</pre>"
        else:
            cell = f"<code>{html(data.decode('utf-8', 'backslashreplace'))}</code>"
        yield f"<tr><th>{name}</th><td>{cell}</td></tr>"
    yield "</table>\n"


def _hexadecimal(data: bytes, other: bytes | None) -> str:
    """Rows of bytes, in hexadecimal and as characters; those that differ from the other side are marked."""
    rows = []
    at = 0
    for _, pairs, characters in dump(data, wide=8):
        same = other is None or len(other) != len(data)
        differs = [not same and other is not None and other[at + n] != data[at + n] for n in range(len(pairs))]
        at += len(pairs)
        left = " ".join(_marked(text, mark) for text, mark in zip(pairs, differs, strict=True))
        right = "".join(_marked(text, mark) for text, mark in zip(characters, differs, strict=True))
        rows.append(f"{left}{'   ' * (8 - len(pairs))}  {right}")
    return "\n".join(rows)


def _marked(text: str, mark: bool) -> str:
    return f"<mark>{html(text)}</mark>" if mark else html(text)
