"""The fuzz targets hold for the inputs of a fixed seed; fuzz/README.md says how to let them run on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"
INPUTS = {"segment": 20, "reading": 20, "opening": 30, "event": 150, "filters": 150, "command": 125}
"""How many mutated inputs each target gets, beside its seeds."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", INPUTS)
def test_no_mutated_input_breaks_the_invariant(target: str, long: bool, tried: Callable[[str, int], None]) -> None:
    count = INPUTS[target] * (50 if long else 1)
    command = [sys.executable, FUZZ / f"{target}.py", "--random", str(count)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    told = re.fullmatch(r"(\d+) inputs, none of them breaks the invariant\n", run.stdout)
    assert told is not None, run.stdout
    tried("inputs", int(told[1]))


def test_every_target_states_its_invariant_and_is_run() -> None:
    targets = [path.stem for path in FUZZ.glob("*.py") if "def target(" in path.read_text("utf-8")]
    assert sorted(targets) == sorted(INPUTS)
    assert all((FUZZ / f"{target}.py").read_text("utf-8").startswith('"""Any ') for target in targets)
