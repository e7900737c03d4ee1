"""The benchmark command runs and says what it measured. How fast anything is, no test decides."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

COMMAND = [sys.executable, str(Path(__file__).resolve().parent)]
PEERS = ("structlog", "pythonjsonlogger", "concurrent_log_handler", "duckdb")


def test_the_smallest_run_measures_every_row_and_writes_it_as_json(tmp_path: Path) -> None:
    absent = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"needs the extra `bench`: {', '.join(absent)} not installed")
    given = ["--quick", "--size", "1MB", "--rounds", "1", "--work", str(tmp_path), "--json", "-"]
    ended = subprocess.run([*COMMAND, *given], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["machine"]["quick"]
    assert said["machine"]["versions"]["orjson"]
    rows = said["rows"]
    assert {row["row"] for row in rows} == {
        "append", "append-many", "append-sync", "append-threads", "append-async", "append-processes",
        "append-handler", "append-redacted", "redact", "verify", "verify-full", "verify-stream", "collect",
        "tail", "seek", "rare", "memory", "memory-line", "startup", "p99", "ship",
    }  # fmt: skip
    for row in rows:
        assert row["value"] is None or row["value"] > 0, row
        assert row["value"] is not None or re.search("not installed|not available|not here", row["note"]), row
        assert (row["holds"] is None) == (row["hold"] is None or row["value"] is None), row
    with_floor = [row for row in rows if row["hold"] is not None and row["row"] != "p99"]
    assert all(row["aim"] is not None for row in with_floor)
    assert not list(tmp_path.glob("scratch-*")), "what a row wrote is gone when it is done"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--rows", "nonsense"], "invalid choice"),
        (["--size", "plenty"], "is no size"),
        (["--size", "1"], "1MB at least"),
        (["--rounds", "0"], "is no number above 0"),
    ],
    ids=["row", "word", "small", "rounds"],
)
def test_wrong_usage_is_said_with_exit_status_2(given: list[str], words: str) -> None:
    ended = subprocess.run([*COMMAND, *given], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
