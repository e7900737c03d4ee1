"""Colours: whether there are any, and what each means."""

from __future__ import annotations

import os
from typing import Any

import click

__all__ = ["Paint", "wanted"]

_OUTCOMES = {"success": "green", "failure": "yellow", "denied": "red", "error": "red"}
_LEVELS = {"warn": "yellow", "warning": "yellow", "error": "red", "critical": "red"}


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

    def record(self, text: str, record: dict[str, Any]) -> str:
        """The text of a record in the colour of its outcome, or of its level."""
        if not self.on:
            return text
        colour = _OUTCOMES.get(str(record.get("outcome"))) or _LEVELS.get(str(record.get("level")))
        if colour is None or colour == "green":  # most records are well: colour is for what is not
            return text
        return click.style(text, fg=colour)
