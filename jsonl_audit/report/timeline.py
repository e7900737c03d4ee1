"""The timeline of a log as a drawing (SVG): its segments to scale, along time and along its records.

What is narrower than can be seen is drawn together; what is damaged is always seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from jsonl_audit import instants
from jsonl_audit.report.spans import Place, Span
from jsonl_audit.visible import visible

__all__ = ["draw"]

_NARROW = 3.0
_BIN = 6.0
_TOP, _BAR, _HEIGHT = 34, 26, 118
_GLYPHS = {
    "restart": "M0-5L4 3L-4 3Z",
    "crash": "M-4-4L4 4M4-4L-4 4",
    "lost": "M-4-4L4 4M4-4L-4 4",
    "clock": "M0-5L5 0L0 5L-5 0Z",
    "purged": "M-4-4L4-4L0 4Z",
    "settings": "M-3-3H3V3H-3Z",
    "missing": "M-4-4L4 4M4-4L-4 4",
}
_SECOND = 1_000_000
_STEPS = [
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)),
    *(n * 86400 * _SECOND for n in (1, 2, 5, 7, 14, 30, 60, 91, 182, 365, 730, 1826, 3652)),
]


def draw(drawn: Sequence[Span], marked: Sequence[Place], width: int) -> str:
    """Both drawings, one below the other, `width` units wide: what is shown so wide is to scale."""
    if not drawn:
        return ""
    low, high = min(span.since for span in drawn), max(span.until for span in drawn)
    first, last = drawn[0].first_seq, drawn[-1].last_seq
    by_time = _Scale(low, max(high, low + 1), width, lambda span: (span.since, span.until), lambda place: place.time)
    by_seq = _Scale(
        first, last + 1, width, lambda span: (span.first_seq, span.last_seq + 1), lambda place: place.seq
    )
    parts = [
        (f'<svg class="w{width}" viewBox="0 0 {width} {2 * _HEIGHT}" role="img" '
        f'aria-label="Timeline: {len(drawn)} segments, by time and by record">'),
        '<g>', *_strip("By time (UTC)", by_time, drawn, marked, _time_ticks(low, high, width)), "</g>",
        f'<g transform="translate(0 {_HEIGHT})">',
        *_strip("By record (seq)", by_seq, drawn, marked, _seq_ticks(first, last, width)), "</g></svg>",
    ]  # fmt: skip
    return "".join(parts)


class _Scale:
    """Where something stands along one axis."""

    def __init__(
        self, low: int, high: int, width: int,
        ends: Callable[[Span], tuple[int, int]], at: Callable[[Place], int],
    ) -> None:  # fmt: skip
        self.low, self.high, self.width = low, high, width
        self.ends, self.at = ends, at

    def x(self, value: int) -> float:
        """In units of the drawing; a little is left free at both sides."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return 8 + share * (self.width - 16)


def _strip(
    title: str, scale: _Scale, drawn: Sequence[Span], marked: Sequence[Place], ticks: list[tuple[int, str]]
) -> Iterator[str]:
    yield f'<text class="t" x="8" y="12">{title}</text>'
    bottom = _TOP + _BAR
    yield f'<line class="axis" x1="8" y1="{bottom + 26}" x2="{scale.width - 8}" y2="{bottom + 26}"/>'
    for value, label in ticks:
        x = scale.x(value)
        anchor = "start" if x < 40 else "end" if x > scale.width - 40 else "middle"
        yield f'<line class="axis" x1="{x:.1f}" y1="{bottom + 26}" x2="{x:.1f}" y2="{bottom + 30}"/>'
        yield f'<text class="l" x="{x:.1f}" y="{bottom + 42}" text-anchor="{anchor}">{label}</text>'
    for begin, end, spans in _folded(scale, drawn):
        yield from _bar(begin, end, spans)
    yield from _findings(scale, marked)
    yield from _events(scale, marked)


def _folded(scale: _Scale, drawn: Sequence[Span]) -> Iterator[tuple[float, float, list[Span]]]:
    """The spans with their ends, those together that are too narrow to be seen alone and are alike."""
    run: list[Span] = []
    begin = end = 0.0
    for span in drawn:
        low, high = (scale.x(value) for value in scale.ends(span))
        alike = run and run[-1].state == span.state and low - end < 1
        if run and (not alike or (end - begin >= _NARROW and high - low >= _NARROW) or end - begin > 40):
            yield begin, end, run
            run = []
        if not run:
            begin = low
        run.append(span)
        end = max(high, begin)
    if run:
        yield begin, end, run


def _bar(begin: float, end: float, spans: list[Span]) -> Iterator[str]:
    first, last = spans[0], spans[-1]
    width = max(end - begin, 1.5 if first.state in ("whole", "torn") else 2.5)
    which = f"segment {first.segment}"
    if last.last_segment != first.segment:
        which = f"segments {first.segment:,} to {last.last_segment:,}"
    told = f"{which}: {first.state}, seq {first.first_seq:,} to {last.last_seq:,}"
    count = sum(span.findings for span in spans)
    told += f", {count:,} findings" if count else ""
    shade = f" odd{first.segment % 2}" if len(spans) == 1 else " fold"
    yield (
        f'<rect class="{first.state}{shade}" x="{begin:.1f}" y="{_TOP}" width="{width:.1f}" height="{_BAR}">'
        f"<title>{told}</title></rect>"
    )
    if last.state == "torn":
        x, top = begin + width, _TOP
        points = " ".join(f"{x + (3 if n % 2 else -1):.1f},{top + n * _BAR / 6:.1f}" for n in range(7))
        yield f'<polyline class="tear" points="{points}"/>'
    label = f"{first.segment}" if len(spans) == 1 and first.segment == first.last_segment else (
        f"{first.segment}–{last.last_segment}"
    )  # fmt: skip
    if width > 7 * len(label) + 4:
        yield f'<text class="n" x="{begin + width / 2:.1f}" y="{_TOP + 17}" text-anchor="middle">{label}</text>'


def _findings(scale: _Scale, marked: Sequence[Place]) -> Iterator[str]:
    """How many findings there are where, below the bars: the taller the more."""
    counts: dict[int, int] = {}
    for place in marked:
        if place.kind == "finding":
            bin_ = int(scale.x(scale.at(place)) / _BIN)
            counts[bin_] = counts.get(bin_, 0) + 1
    for bin_, count in sorted(counts.items()):
        tall = min(22.0, 7 + 3 * math.log2(count))
        yield (
            f'<rect class="hit" x="{bin_ * _BIN + 0.75:.1f}" y="{_TOP + _BAR + 2}" width="{_BIN - 1.5}" '
            f'height="{tall:.1f}"><title>{count:,} finding{"s" * (count != 1)} here</title></rect>'
        )


def _events(scale: _Scale, marked: Sequence[Place]) -> Iterator[str]:
    """What happened, above the bars; of what would stand in one place, one of each kind."""
    seen: dict[tuple[str, int], list[Place]] = {}
    for place in marked:
        if place.kind in _GLYPHS:
            seen.setdefault((place.kind, int(scale.x(scale.at(place)) / 10)), []).append(place)
    for (kind, _), here in seen.items():
        x = scale.x(scale.at(here[0]))
        told = escape(visible(here[0].text)) + (f" (and {len(here) - 1:,} more here)" if len(here) > 1 else "")
        yield f'<path class="ev {kind}" transform="translate({x:.1f} {_TOP - 8})" d="{_GLYPHS[kind]}">'
        yield f"<title>{told}</title></path>"


def _time_ticks(low: int, high: int, width: int) -> list[tuple[int, str]]:
    if high <= low:
        return [(low, _moment(low, 1))]
    most = max(2, width // 110)
    step = next((step for step in _STEPS if (high - low) / step <= most), _STEPS[-1])
    ticks = [(at, _moment(at, step)) for at in range(-(-low // step) * step, high + 1, step)]
    return ticks[: most * 2] or [(low, _moment(low, 1)), (high, _moment(high, 1))]


def _moment(us: int, step: int) -> str:
    text = instants.text(us)
    if step >= 86400 * _SECOND:
        return text[:10]
    return f"{text[5:10]} {text[11:16]}" if step >= 60 * _SECOND else text[11:19]


def _seq_ticks(first: int, last: int, width: int) -> list[tuple[int, str]]:
    most = max(2, width // 110)
    size = max(1, last - first)
    power = 10 ** max(0, math.floor(math.log10(size / most)) if size > most else 0)
    step = next((power * n for n in (1, 2, 5, 10) if size / (power * n) <= most), power * 10)
    begin = -(-first // step) * step
    ticks = [(at, f"{at:,}") for at in range(begin, last + 1, step)]
    return [(first, f"{first:,}"), *ticks] if begin - first > step / 2 else ticks
