"""Some rounds of copies of a log in use; `python tests/copying.py` makes as many as you like."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from copying import TOOLS, beside, round_of

pytestmark = [
    pytest.mark.exhaustive,  # alike on every Python
    pytest.mark.filterwarnings("ignore"),  # a crash is told by the writer that comes after it
]


@pytest.mark.parametrize("seed", [1, 2, 20, 130])
def test_no_copy_is_accused(seed: int, tmp_path: Path, tried: Callable[[str, int], None]) -> None:
    tried("states", sum(round_of(seed, tmp_path).values()))


@pytest.mark.parametrize("tool", [*TOOLS])
def test_no_copy_that_a_program_makes_beside_a_writer_is_accused(tool: str, tmp_path: Path) -> None:
    program = tool.partition(" ")[0].rstrip(",")
    if shutil.which(program) is None:
        pytest.skip(f"not installed: {program}")
    assert sum(beside(tmp_path, tool, 2, random.Random(3)).values()) == 2
