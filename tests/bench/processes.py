"""Rows about whole processes: the memory they need, and how soon they start."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import orjson

from .events import NEEDLE, NEEDLE_FIELD
from .logs import Log, with_long_line
from .measure import Result, Side, in_turn, ratio, say, seconds
from .setting import Setting

__all__ = ["memory", "memory_line", "startup"]

STARTS = 21

# A child says how much it had at most. The kernel's own high-water mark is asked where there is one: ru_maxrss of a
# child counts the moment before its exec, when it was still its parent. Workers of the child: the largest of them.
_PEAK = """
import resource, sys
def peak():
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    try:
        with open("/proc/self/status") as status:
            own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own * unit, workers * unit
"""
_WORK = {
    "verify": "from jsonl_audit import verify\nassert verify(PATH).verdict == 'intact'",
    "verify --full": "from jsonl_audit import verify\nassert verify(PATH, full=True).verdict == 'intact'",
    "tail 100": "from jsonl_audit import tail\nassert tail(PATH, 100)",
    "query, every record": "from jsonl_audit import query\nassert sum(1 for _ in query(PATH)) > 10",
    "query, a rare value": (
        f"from jsonl_audit import query\nassert len(list(query(PATH, where={{{NEEDLE_FIELD!r}: {NEEDLE!r}}}))) == 1"
    ),
}


_PASSED_OVER = "import warnings\nwarnings.simplefilter('ignore')\n"
_LINE = {
    "verify": "from jsonl_audit import verify\nassert verify(PATH).verdict in ('tampered', 'torn')",
    "verify --full": "from jsonl_audit import verify\nassert verify(PATH, full=True).verdict in ('tampered', 'torn')",
    "tail, past the line": f"{_PASSED_OVER}from jsonl_audit import tail\nassert tail(PATH, 900)",
    "query, every record": f"{_PASSED_OVER}{_WORK['query, every record']}",
    "query, a rare value": f"{_PASSED_OVER}{_WORK['query, a rare value']}",
}


def memory(setting: Setting) -> Iterable[Result]:
    """memory of verify, tail and query above the bare interpreter, for a large log and a small one."""
    large, small = setting.log, setting.small_log
    bare = _peak("pass", large)[0]
    for name, work in _WORK.items():
        own, workers = _peak(work, large)
        small_own, small_workers = _peak(work, small)
        figures = {
            "jsonl_audit_MiB": (own - bare) / 2**20,
            f"with_{small.size.replace(' ', '_')}_MiB": (small_own - bare) / 2**20,
        }
        note = ""
        if workers:
            figures["largest_worker_MiB"] = (workers - bare) / 2**20
            figures["largest_worker_with_small_MiB"] = (small_workers - bare) / 2**20
            note = "the process itself; each worker of its own is in the JSON"
        worst = max((own - bare) / 2**20, (workers - bare) / 2**20)
        say("    " + f"{name}: " + " · ".join(f"{key} {value:.1f}" for key, value in figures.items()))
        yield Result(
            "memory", f"memory of {name}, {large.size}, above the interpreter", "", "MiB", worst, 64, 32,
            higher_is_better=False, sides=figures, note=note,
        )  # fmt: skip


def memory_line(setting: Setting) -> Iterable[Result]:
    """memory of verify, tail and query of a log in which one line is a tenth of a large log: 100 MB."""
    small, size = setting.small_log, setting.size // 10
    bare = _peak("pass", small)[0]
    with setting.scratch() as folder:
        ends = {"with LF": True, "without LF": False}
        for name in ends:
            (folder / name).mkdir()
        logs = {name: with_long_line(folder / name, small, size, ended=ended) for name, ended in ends.items()}
        for name, work in _LINE.items():
            figures = {
                f"{kind.replace(' ', '_')}_MiB": (max(_peak(work, log)) - bare) / 2**20 for kind, log in logs.items()
            }
            say("    " + f"{name}: " + " · ".join(f"{key} {value:.1f}" for key, value in figures.items()))
            what = f"memory of {name}, one line of {size / 1e6:.0f} MB"
            yield Result(
                "memory-line", what, "", "MiB", max(figures.values()), 64, 32, higher_is_better=False, sides=figures
            )


def _peak(work: str, log: Log) -> tuple[int, int]:
    code = f"{_PEAK}\nPATH = {str(log.path)!r}\n{work}\nprint(list(peak()))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    if ended.returncode:
        raise SystemExit(f"benchmark: a child failed:\n{ended.stderr.decode()}")
    own, workers = orjson.loads(ended.stdout)
    return own, workers


def startup(setting: Setting) -> Iterable[Result]:
    """`jsonl-audit --version` against `python -c "import click"`."""
    script = Path(sys.executable).with_name("jsonl-audit")
    ours = [str(script)] if script.exists() else [sys.executable, "-m", "jsonl_audit"]
    sides = {
        "jsonl_audit": _process([*ours, "--version"]),
        "import_click": _process([sys.executable, "-c", "import click"]),
        "python": _process([sys.executable, "-c", "pass"]),
    }
    samples = in_turn(sides, max(setting.rounds, 3 if setting.quick else STARTS))
    value = 1 / ratio(samples, "jsonl_audit", "import_click")
    medians = {f"{name}_ms": statistics.median(taken) * 1e3 for name, taken in samples.items()}
    yield Result(
        "startup", "jsonl-audit --version: its time", 'by the time of python -c "import click"', "x", value, 1.6, 1.2,
        higher_is_better=False, sides=medians, samples=samples,
    )  # fmt: skip


def _process(command: list[str]) -> Side:
    return lambda: seconds(lambda: subprocess.run(command, capture_output=True, check=True))
