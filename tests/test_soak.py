"""A few seconds of the soak; ``python tests/soak.py --help`` is the command, for as long as you like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soak

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.exhaustive,
]
SEED = int(os.environ.get("SOAK_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


@pytest.mark.parametrize("simulated", [False, True], ids=["mounted", "simulated"])
def test_all_promises_are_kept(
    tmp_path: Path, tried: Callable[[str, int], None], long: bool, simulated: bool
) -> None:
    if not simulated and not soak.can_mount(tmp_path):
        pytest.skip("no file system can be mounted here")
    if simulated and not os.path.isdir("/proc/self/fd"):
        pytest.skip("what a descriptor stands for cannot be known here")
    try:
        figures = soak.soak(tmp_path, seconds=60 if long else 2.5, writers=3, seed=SEED, simulated=simulated)
    except Exception as error:
        raise AssertionError(f"SOAK_SEED={SEED}: {error}") from error
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    for name in ("acknowledged", "followed", "verifications", "reads"):  # on a busy machine there is not time for all
        assert figures[name] > 0, f"SOAK_SEED={SEED}: nothing {name}"
    assert soak.report(figures).count("\n") > 10
    tried("steps", figures["attempted"])


def test_the_command_says_what_went_wrong_and_keeps_all_of_it(tmp_path: Path) -> None:
    """A verifier that is told a lie ends the soak."""
    code = """
import sys, soak, soakers
from jsonl_audit.verifier import Report
soakers.verify = lambda path, **how: type("Lie", (), {"verdict": "tampered"})()
sys.argv = ["soak.py", "--minutes", "0.1", "--seed", "7", "--simulated"]
sys.exit(soak.main())
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(soak.__file__).parent, env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert run.returncode == 1, run.stderr
    assert "WRONG, seed 7: Trouble: verifier ended by itself" in run.stderr
    assert "--seed 7" in run.stderr
    [folder] = tmp_path.iterdir()
    assert (folder / "disk as it was" / "log" / "audit.jsonl").exists()
    assert (folder / "figures.json").exists()
