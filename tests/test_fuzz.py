"""The fuzz targets hold for the inputs of a fixed seed; fuzz/README.md says how to let them run on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"


@pytest.mark.parametrize("target", ["segment.py", "event.py"])
def test_no_mutated_input_breaks_the_invariant(target: str) -> None:
    command = [sys.executable, FUZZ / target, "--random", "300"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "none of them breaks the invariant" in run.stdout
