"""Running the command line in tests: in this process where that is enough, as a process of its own where it matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jsonl_audit.cli import main

COMMAND = [sys.executable, "-m", "jsonl_audit"]


@dataclass
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        """What `-o jsonl` printed, or receipts."""
        return [json.loads(line) for line in self.out.splitlines()]


class CommandLine:
    """Calls commands in this process, in an empty folder: `cli("append", "--type", "a.b", stdin=b"…")`."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes], patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capture = capture
        self._patch = patch
        self._inputs = 0

    def __call__(self, *args: str | Path, stdin: bytes = b"") -> Ended:
        self._inputs += 1
        given = self.folder.parent / f"{self.folder.name}-stdin-{self._inputs}"
        given.write_bytes(stdin)
        self._capture.readouterr()
        with given.open("rb") as file:
            self._patch.setattr(sys, "stdin", file)
            status = main([str(arg) for arg in args])
        out, err = self._capture.readouterr()
        return Ended(status, out, err.decode())


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> CommandLine:
    """The command line, called in this process, in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return CommandLine(folder, capfdbinary, monkeypatch)


def run(*args: str | Path, cwd: Path, stdin: bytes = b"", **env: str) -> Ended:
    """The command as a process of its own."""
    run = subprocess.run(
        [*COMMAND, *map(str, args)], input=stdin, capture_output=True, cwd=cwd, env={**os.environ, **env}
    )
    return Ended(run.returncode, run.stdout, run.stderr.decode())


def start(*args: str | Path, cwd: Path, **options: Any) -> subprocess.Popen[bytes]:
    """The command, running."""
    return subprocess.Popen([*COMMAND, *map(str, args)], cwd=cwd, **options)
