"""Bytes and text of a stranger as HTML or as plain text: nothing is obeyed, nothing is hidden, nothing is too long."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from jsonl_audit.report.around import Line
from jsonl_audit.report.facts import Examined
from jsonl_audit.verifier import Finding
from jsonl_audit.visible import HIDDEN, visible

__all__ = ["as_text", "dump", "html", "place", "record_html", "record_text", "size", "value"]

_LONGEST = 600


def html(text: object) -> str:
    """Any text as HTML. What cannot be seen stands as an escape that is marked as one.

    >>> html("<b>\\u202e")
    '&lt;b&gt;<i>\\\\u202e</i>'
    """
    words = str(text)
    at, parts = 0, []
    for found in HIDDEN.finditer(words):
        parts += [escape(words[at : found.start()]), f"<i>{visible(found[0])}</i>"]
        at = found.end()
    return "".join(parts) + escape(words[at:])


def as_text(data: bytes, longest: int = _LONGEST) -> tuple[str, int]:
    """Bytes as a text, without a line end behind it, and how many bytes were left out of it."""
    data = data.removesuffix(b"\n")
    shown = data[:longest]
    while len(shown) < len(data) and shown and shown[-1] & 0xC0 == 0x80 and len(shown) > longest - 3:
        shown = shown[:-1]  # not in the middle of a character
    return shown.decode("utf-8", "backslashreplace"), len(data) - len(shown)


def record_html(line: Line) -> str:
    """A line of a log as HTML."""
    text, more = as_text(line.data)
    return html(text) + (f" <em>… {more:,} bytes more</em>" if more or line.cut else "")


def record_text(line: Line) -> str:
    """A line of a log as a text of one line."""
    text, more = as_text(line.data)
    return visible(text) + (f" … {more:,} bytes more" if more or line.cut else "")


def dump(data: bytes, offset: int = 0, wide: int = 16) -> Iterator[tuple[str, list[str], list[str]]]:
    """Rows of bytes: where, each in hexadecimal, each as a character (a dot where it is none)."""
    for at in range(0, len(data), wide):
        row = data[at : at + wide]
        yield (
            f"{offset + at:>8}",
            [f"{byte:02x}" for byte in row],
            [chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row],
        )


def place(finding: Finding, file: Examined | None) -> str:
    """Where a finding is, in words."""
    words = [] if finding.segment is None else [finding.segment]
    if file is not None:
        words[0] = f"file {file.number}, {file.name}"
    words += [
        f"{what} {number:,}"
        for what, number in (("line", finding.line), ("seq", finding.seq), ("byte", finding.offset))
        if number is not None
    ]
    return ", ".join(words)


def value(said: object, longest: int = 80) -> str:
    """What was expected, or found, in short."""
    words = "—" if said is None else f"{said:,}" if isinstance(said, int) else str(said)
    return words if len(words) <= longest else f"{words[:longest]}…"


def size(count: int) -> str:
    """A length in bytes, to the byte, and as people say it.

    >>> size(512), size(5_000_000)
    ('512 bytes', '5,000,000 bytes (4.8 MiB)')
    """
    if count < 1 << 16:
        return f"{count:,} bytes"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count:,} bytes ({count / 1024**power:,.1f} {'KMGT'[power - 1]}iB)"
