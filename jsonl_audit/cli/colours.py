"""Colours: whether there are any, and what each means."""

from __future__ import annotations

import os

import click

__all__ = ["Paint", "wanted"]

_OUTCOMES = {"success": "green", "failure": "yellow", "denied": "red", "error": "red"}
_LEVELS = {
    "debug": "bright_black", "info": "blue", "notice": "cyan", "warn": "yellow", "warning": "yellow", "error": "red",
    "critical": "magenta", "fatal": "magenta",
}  # fmt: skip
_LOUD = ("yellow", "red", "magenta")


def wanted(choice: str, *, terminal: bool) -> bool:
    """Whether to use colours: as `choice` says; for `auto`, on a terminal that has them, unless NO_COLOR is set.

    >>> wanted("auto", terminal=False), wanted("always", terminal=False)
    (False, True)
    """
    if choice != "auto":
        return choice == "always"
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Paint:
    """Puts colours on words, or does nothing if not `on`."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, colour: str, *, bold: bool = False) -> str:
        return click.style(text, fg=colour, bold=bold or None) if self.on and text else text

    def bold(self, text: str) -> str:
        """A heading."""
        return click.style(text, bold=True) if self.on else text

    def dim(self, text: str) -> str:
        """What matters less."""
        return click.style(text, dim=True) if self.on else text

    def level(self, text: str) -> str:
        """A level, in its own colour."""
        colour = _LEVELS.get(text.strip().lower())
        return self(text, colour, bold=colour in _LOUD) if colour else text

    def trouble(self, text: str, outcome: str, level: str) -> str:
        """What belongs to a record, in the colour of its outcome or level, if not well: colour is for what is not."""
        colour = _OUTCOMES.get(outcome) or _LEVELS.get(level.lower())
        return self(text, colour) if colour in _LOUD else text
