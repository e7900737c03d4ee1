"""What the doctor says: a remark about one thing, and the diagnosis that they make together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit.visible import visible

__all__ = ["LEVELS", "Diagnosis", "Remark"]

LEVELS = ("ok", "remark", "warning", "problem")
"""Worst last."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What was found about one thing, why it matters, and what mends it."""

    check: str
    """What was looked at: ``permissions``, ``space`` …"""
    kind: str
    """What was found there, in a word that does not change: ``readable-by-others``. The check's name where all is
    well."""
    level: str
    """``ok``; ``remark``: worth knowing; ``warning``: it works, until something happens; ``problem``: records are, or
    soon will be, lost, refused or open to others."""
    message: str
    """What is so."""
    reason: str = ""
    """Why that matters."""
    command: str = ""
    """What mends it, for a shell, ready to be pasted. Empty where no command can."""
    setting: str = ""
    """What mends it in the program that writes the log: a keyword argument of AuditLog, ``max_bytes=104857600``."""
    path: str | None = None
    """The file or folder that it is about."""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)
    """The figures in the message, for programs; bytes and seconds."""

    def to_dict(self) -> dict[str, Any]:
        """The members that ``doctor --json`` shows."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor says of one log and its place.

    ``str(diagnosis)`` is for a person, `to_dict` for a program.
    """

    path: str
    """The active file, symlinks resolved."""
    remarks: tuple[Remark, ...]
    """What was found, the worst first; what is well, too, with the level ``ok``."""
    log: str | None = None
    """The log's UUID, where it could be read."""

    @property
    def level(self) -> str:
        """The worst level of all remarks."""
        return max((remark.level for remark in self.remarks), key=LEVELS.index, default="ok")

    @property
    def ok(self) -> bool:
        """Whether there is no problem; there may be warnings."""
        return self.level != "problem"

    @property
    def troubles(self) -> tuple[Remark, ...]:
        """All remarks but those that say that something is well."""
        return tuple(remark for remark in self.remarks if remark.level != "ok")

    @property
    def exit_code(self) -> int:
        """The exit status on the command line: 1 where there is a problem, else 0."""
        return 0 if self.ok else 1

    def to_dict(self) -> dict[str, Any]:
        """The object that ``doctor --json`` prints.

        >>> Diagnosis("/tmp/audit.jsonl", ()).to_dict()["level"]
        'ok'
        """
        remarks = [remark.to_dict() for remark in self.remarks]
        return {"path": self.path, "log": self.log, "level": self.level, "remarks": remarks}

    def text(self, *, everything: bool = False) -> str:
        """The diagnosis for a person; `everything`: also each thing that is well, which else are only named."""
        troubles = self.troubles
        parts = [f"{_summary(troubles)}\n{visible(self.path)}"]
        parts += [_shown(remark) for remark in troubles]
        well = [remark for remark in self.remarks if remark.level == "ok"]
        if everything:
            parts += [_shown(remark) for remark in well]
        elif well:
            parts.append(f"Well: {', '.join(dict.fromkeys(remark.check for remark in well))}.")
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.text()


def _summary(troubles: Iterable[Remark]) -> str:
    counts = dict.fromkeys(reversed(LEVELS), 0)
    for remark in troubles:
        counts[remark.level] += 1
    said = [f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count]
    return ", ".join(said) or "nothing to remark"


def _shown(remark: Remark) -> str:
    lines = [f"{remark.level}: {remark.message} [{remark.kind}]"]
    if remark.reason:
        lines.append(f"  {remark.reason}")
    if remark.setting:
        lines.append(f"  In the program that writes it: AuditLog(…, {remark.setting})")
    if remark.command:
        lines.append(f"  $ {remark.command}")
    return "\n".join(map(visible, lines))  # a name may hold anything, a line that looks like a remark too
