"""The forms in which records are shown: short, json, jsonl, csv, table.

Every form streams: what is shown is written when it is known, and nothing but a screenful is kept.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from jsonl_audit import record as line_of
from jsonl_audit.cli.colours import Paint
from jsonl_audit.cli.streams import Output
from jsonl_audit.cli.summary import ENGINE, at_path, level, outcome, rest, when, who
from jsonl_audit.cli.visible import compact, cut, json_on_terminal, padded, visible, width

__all__ = ["FORMS", "Form", "make_form"]

FORMS = ("short", "json", "jsonl", "csv", "table")
CSV_FIELDS = ("seq", "ts", "time", "id", "type", "outcome", "actor", "details")
TABLE_FIELDS = ("time", "seq", "type", "actor", "outcome", "level", "details")
_OTHER = "other"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCREENFUL = 200
"""So many records set the widths of a table's columns."""
_ROOMY, _NARROW = (22, 16, 7), (16, 8, 7)
"""How wide type, actor and outcome are at least, in `short`."""


class Form:
    """One way to show records. `begin`, then `put` for each, `flush` where somebody waits, `end`."""

    def __init__(self, out: Output, paint: Paint, fields: Sequence[str] = ()) -> None:
        self.out = out
        self.paint = paint
        self.fields = fields

    def put(self, line: bytes) -> None:
        """Shows the record that `line` (LF included) is."""
        raise NotImplementedError

    def flush(self) -> None:
        """Everything put so far is written."""
        self.out.flush()

    def end(self) -> None:
        """Nothing more comes."""
        self.flush()


class _Jsonl(Form):
    """The lines as they stand on disk, byte by byte: what comes out can be verified and appended to a file."""

    def put(self, line: bytes) -> None:
        self.out.write(json_on_terminal(line) if self.out.terminal else line)


class _Json(Form):
    """One JSON array of the records."""

    _count = 0

    def put(self, line: bytes) -> None:
        self._count += 1
        text = line[:-1]
        self.out.write(b"[\n" if self._count == 1 else b",\n")
        self.out.write(json_on_terminal(text) if self.out.terminal else text)

    def end(self) -> None:
        self.out.write(b"\n]\n" if self._count else b"[]\n")
        self.flush()


class _Short(Form):
    """A line a record: time, seq, type, actor, outcome, level, what else it says. On a terminal, cut to its width."""

    def put(self, line: bytes) -> None:
        record = line_of.decode(line)
        columns = self.out.columns
        brief = columns is not None and columns < 100
        head = f"{visible(when(record, brief=brief))} {record.get('seq', '-'):>5}"
        cells = [compact(record.get("type")), who(record, brief=brief), outcome(record)]
        widths = _ROOMY if columns is None or columns >= 120 else _NARROW
        main = " ".join(padded(visible(cell) or "-", least) for cell, least in zip(cells, widths, strict=True))
        words = [main, visible(level(record)), visible(rest(record))]
        if columns is not None:
            words = _within(max(columns - width(head) - 1, 20), words)
        main, word, more = words
        if not word and not more:
            main = main.rstrip()
        main = self.paint.trouble(main, outcome(record), level(record))
        self.out.line(" ".join(part for part in (self.paint.dim(head), main, self.paint.level(word), more) if part))


def _within(room: int, words: list[str]) -> list[str]:
    """The words, of which the last ones give way: with a space before each that is there they fit into `room`."""
    kept: list[str] = []
    for word in words:
        word = cut(word, room)
        room -= width(word) + 1 if word else 0
        kept.append(word)
    return kept


class _Csv(Form):
    """A header, then a row a record; objects and lists as JSON, one field a dotted path.

    Without fields of the user's choice the last column, `other`, is an object of all members that no column shows.

    A text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a carriage return) gets a `'`
    in front, unless `exact`.
    """

    exact = False

    def __init__(self, out: Output, paint: Paint, fields: Sequence[str] = ()) -> None:
        super().__init__(out, paint, fields or CSV_FIELDS)
        self._own = not fields
        self._row([*self.fields, *([_OTHER] if self._own else [])])

    def put(self, line: bytes) -> None:
        record = line_of.decode(line)
        cells = [_cell(at_path(record, field)) for field in self.fields]
        if self._own:
            other = {name: value for name, value in record.items() if name not in ENGINE and name not in CSV_FIELDS}
            cells.append(_cell(other or None))
        self._row(cells)

    def _row(self, cells: list[str]) -> None:
        if not self.exact:
            cells = [f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell for cell in cells]
        if self.out.terminal:
            cells = [visible(cell) for cell in cells]
        row = io.StringIO()
        csv.writer(row, lineterminator="\r\n").writerow(cells)  # so that a bare CR in a cell is quoted, too
        self.out.write(row.getvalue()[:-2].encode() + b"\n")


class _ExactCsv(_Csv):
    exact = True


class _Table(Form):
    """Columns, aligned and cut to the width of the terminal (of 80 columns where there is none).

    Without fields of the user's choice, `level` is a column only if a record of the first screenful has one.
    """

    def __init__(self, out: Output, paint: Paint, fields: Sequence[str] = ()) -> None:
        super().__init__(out, paint, fields or TABLE_FIELDS)
        self._own = not fields
        self._rows: list[dict[str, Any]] = []
        self._widths: list[int] = []

    def put(self, line: bytes) -> None:
        self._rows.append(line_of.decode(line))
        if self._widths or len(self._rows) >= _SCREENFUL:
            self._write()

    def flush(self) -> None:
        if self._rows:
            self._write()
        self.out.flush()

    def _cells(self, record: dict[str, Any]) -> list[str]:
        return [visible(self._cell(record, field)) for field in self.fields]

    def _cell(self, record: dict[str, Any], field: str) -> str:
        if not self._own or field not in _TOLD:
            return _cell(at_path(record, field))
        if field == "details" and "level" not in self.fields and level(record):
            return f"level={level(record)} {rest(record)}"
        return _TOLD[field](record)

    def _write(self) -> None:
        if self._own and not self._widths and not any(map(level, self._rows)):
            self.fields = [field for field in self.fields if field != "level"]
        rows = [(self._cells(record), record) for record in self._rows]
        if not self._widths:
            self._widths = self._measure([cells for cells, _ in rows])
            self.out.line(self.paint.bold("  ".join(self._fitted(self.fields)).rstrip()))
            self.out.line(self.paint.dim("─" * (sum(self._widths) + 2 * (len(self._widths) - 1))))
        for cells, record in rows:
            self.out.line("  ".join(self._painted(self._fitted(cells), record)))
        self._rows.clear()

    def _painted(self, cells: list[str], record: dict[str, Any]) -> Iterator[str]:
        """The cells in their colours: an own one for the level, else that of the record."""
        last = max((at for at, cell in enumerate(cells) if cell.strip()), default=-1)
        for at, (cell, field) in enumerate(zip(cells[: last + 1], self.fields, strict=False)):
            cell = cell.rstrip() if at == last else cell
            if field == "level":
                yield self.paint.level(cell)
            else:
                yield self.paint.trouble(cell, outcome(record), level(record))

    def _measure(self, rows: list[list[str]]) -> list[int]:
        """Each column as wide as its widest cell; where that is too much, the widest ones give way, but never times."""
        widths = [
            min(max(width(field), *(width(cells[at]) for cells in rows)), self._room())
            for at, field in enumerate(self.fields)
        ]
        room = self._room() - 2 * (len(widths) - 1)
        yielding = [at for at, field in enumerate(self.fields) if field not in ("time", "ts", "seq")]
        while sum(widths) > room and yielding:
            first, *others = sorted(yielding, key=lambda at: -widths[at])
            if widths[first] <= 3:
                break
            next_widest = widths[others[0]] if others else 0
            widths[first] = max(widths[first] - (sum(widths) - room), min(next_widest, widths[first] - 1), 3)
        return widths

    def _room(self) -> int:
        return self.out.columns or shutil.get_terminal_size((80, 24)).columns

    def _fitted(self, cells: Sequence[str]) -> list[str]:
        """The cells, each as wide as its column."""
        shown = []
        for cell, columns, field in zip(cells, self._widths, self.fields, strict=True):
            cell = cut(cell, columns)
            shown.append(" " * (columns - width(cell)) + cell if field == "seq" else padded(cell, columns))
        return shown


_TOLD = {"time": when, "actor": who, "outcome": outcome, "level": level, "details": rest}
"""The columns of a table that are no bare members."""


def _cell(value: Any) -> str:
    return "" if value is None else compact(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


_KINDS: dict[str, type[Form]] = {"short": _Short, "json": _Json, "jsonl": _Jsonl, "csv": _Csv, "table": _Table}


def make_form(name: str, out: Output, paint: Paint, fields: Sequence[str] = (), *, exact: bool = False) -> Form:
    """The form of that name. `fields` are dotted paths, for csv and table; `exact` leaves csv texts as they are."""
    return (_ExactCsv if exact and name == "csv" else _KINDS[name])(out, paint, fields)
