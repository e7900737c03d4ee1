"""How the demo looks: sections, results, file lists in 80 columns; plain words where there is no terminal."""

from __future__ import annotations

from jsonl_audit.cli.colours import Paint
from jsonl_audit.cli.streams import Output
from jsonl_audit.cli.visible import padded, width

__all__ = ["Page"]

WIDTH = 78


class Page:
    """The page that a demo is written on, line by line."""

    def __init__(self, out: Output, paint: Paint) -> None:
        self.out = out
        self.paint = paint
        self.fancy = out.terminal
        self._sections = 0

    def title(self, name: str, words: str) -> None:
        """The first line."""
        self._put(f"{self.paint.bold(name)} {'·' if self.fancy else '-'} {words}")

    def section(self, title: str, command: str = "") -> None:
        """A numbered heading, with the command or the call that a reader would type on its right."""
        self._sections += 1
        head = f"{self._sections}  {title}"
        gap = max(WIDTH - width(head) - width(command) - 2, 1)
        rule = (" " + "─" * gap + " ") if self.fancy else " " * (gap + 2)
        self._put()
        self._put(self.paint.bold(head) + self.paint.dim(rule) + self.paint(command, "cyan"))

    def text(self, *lines: str) -> None:
        """Words, a line each."""
        for line in lines:
            self._put(f"   {line}" if line else "")

    def line(self, text: str) -> None:
        """A line that somebody else made, as wide as the page."""
        self._put(text)

    def files(self, rows: list[tuple[str, str, str, str]]) -> None:
        """Name, size, range, state."""
        widths = [max(width(row[at]) for row in rows) for at in range(4)]
        for name, size, span, state in rows:
            cells = [padded(name, widths[0]), " " * (widths[1] - width(size)) + size, padded(span, widths[2])]
            self._put(f"   {'   '.join(cells)}   {self.paint.dim(state)}")

    def result(self, good: bool, verdict: str, words: str, colour: str = "") -> None:
        """A verdict with its mark."""
        mark = ("✔" if good else "✘") if self.fancy else ("ok" if good else "!!")
        colour = colour or ("green" if good else "red")
        self._put(f"   {self.paint(f'{mark} {verdict}', colour, bold=True)}   {words}")

    def case(self, letter: str, title: str, story: str) -> None:
        """One of several things that are shown one after another."""
        self._put()
        self._put(f"   {self.paint.bold(f'{letter}. {title}:')} {story}")

    def show(self) -> None:
        """What was written so far is seen."""
        self.out.flush()

    def _put(self, text: str = "") -> None:
        self.out.line(text.rstrip())
