"""What was measured, as a table for people and as JSON for programs; and into the pages that show it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .measure import Result

__all__ = ["full", "into_pages", "legend", "short"]

REPOSITORY = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"


def full(results: Iterable[Result]) -> str:
    """Every line: what was measured, against what, the figure, its floor and its aim, both sides."""
    lines = ["| work | against | here | hold | aim | | both sides |", "|---|---|--:|--:|--:|---|---|"]
    for result in results:
        cells = [
            result.work,
            result.against or "-",
            _figure(result.value, result.unit) if result.value is not None else f"- ({result.note or 'not measured'})",
            _bound(result, result.hold),
            _bound(result, result.aim),
            _verdict(result),
            _sides(result),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def short(results: Iterable[Result]) -> str:
    """Work, against what, and the figure: for a page that shows but the outcome."""
    lines = ["| work | against | ratio |", "|---|---|--:|"]
    measured = [(result, _figure(result.value, result.unit)) for result in results if result.value is not None]
    lines += [f"| {result.work} | {result.against} | {figure} |" for result, figure in measured if result.unit == "x"]
    lines += ["", "| work | here |", "|---|--:|"]
    lines += [f"| {result.work} | {figure} |" for result, figure in measured if result.unit != "x"]
    return "\n".join(lines)


def legend(machine: dict[str, Any]) -> str:
    """On what, with what and how it was measured: a paragraph under a table."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    load = machine.get("load")
    loaded = f" Load average of the machine {load[0]:.1f} before and {load[1]:.1f} after." if load else ""
    quick = " A quick run: figures of this one mean little." if machine["quick"] else ""
    return (
        f"{machine['events']} ({machine['event_bytes_mean']:,} bytes on average), reading from a log of "
        f"{machine['log_bytes'] / 1e6:,.0f} MB; {machine['rounds']} round(s). {machine['processor']}, "
        f"{machine['cores']} cores, "
        f"{machine['system']}, {machine['file_system']}; Python {machine['python']}, {versions}.{loaded}{quick}"
    )


def into_pages(results: list[Result], machine: dict[str, Any]) -> list[Path]:
    """Puts the tables between the benchmark marks of the pages that have them; the pages that were changed."""
    pages = {
        REPOSITORY / "docs" / "explanation" / "performance.md": f"{full(results)}\n\n{legend(machine)}",
        REPOSITORY / "README.md": short([result for result in results if result.hold is not None]),
    }
    changed = []
    for page, table in pages.items():
        text = page.read_text("utf-8")
        before, mark, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if mark and end:
            page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")
            changed.append(page)
    return changed


def _figure(value: float, unit: str) -> str:
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}" if unit == "x" else f"{value:,.{digits}f} {unit}"


def _bound(result: Result, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{'' if result.higher_is_better else '≤ '}{bound:g}"


def _verdict(result: Result) -> str:
    if result.holds is None:
        return ""
    if not result.holds:
        return "**does not hold**"
    return "aim" if result.aim_reached else "holds"


def _sides(result: Result) -> str:
    parts = []
    for name, value in result.sides.items():
        who, _, unit = name.rpartition("_")
        parts.append(f"{who.replace('_', ' ')} {_figure(value, unit.replace('us', 'µs'))}")
    shown = ", ".join(parts)
    return f"{shown}; {result.note}" if result.note and result.value is not None else shown
