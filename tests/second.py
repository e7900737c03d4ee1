"""The second examiner in tests: takes the script out of a report as the report says, runs it, hears its verdict."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from jsonl_audit.report import Examination
from jsonl_audit.report.steps import extraction

__all__ = ["Heard", "by_hand", "needs_b3sum", "repeat"]

needs_b3sum = pytest.mark.skipif(shutil.which("b3sum") is None, reason="b3sum is not installed")


class Heard(NamedTuple):
    """What the second examiner said."""

    verdict: str
    status: int
    text: str
    errors: str


def repeat(report: Path, folder: Path) -> Heard:
    """Takes the script out of a report and runs it on the folder of the files, with a shell alone."""
    subprocess.run(["sh", "-c", extraction(report.name)], cwd=report.parent, check=True, stdin=subprocess.DEVNULL)
    ran = subprocess.run(
        ["sh", "examine.sh", str(folder)], cwd=report.parent, capture_output=True, stdin=subprocess.DEVNULL
    )
    text = ran.stdout.decode()
    said = [line for line in text.splitlines() if line.startswith("verdict: ")]
    return Heard(said[-1][9:] if said else "", ran.returncode, text, ran.stderr.decode())


def by_hand(found: Examination) -> int:
    """Runs the commands of every exhibit in a shell; each must print what the report says. Returns how many."""
    count = 0
    for exhibit in found.exhibits:
        lines = "\n".join(f"{command.line}\nprintf '\\n--8<--\\n'" for command in exhibit.commands)
        ran = subprocess.run(["sh", "-c", lines], cwd=found.folder, capture_output=True, stdin=subprocess.DEVNULL)
        assert ran.stderr == b""
        printed = ran.stdout.decode("utf-8", "replace").split("\n--8<--\n")
        for command, text in zip(exhibit.commands, printed, strict=False):
            count += 1
            if command.prints is None:
                assert text.strip(), command
            else:
                assert text.rstrip("\n") == command.prints, command
    return count
