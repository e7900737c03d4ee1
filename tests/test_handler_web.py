"""The examples of the documentation, with four worker processes, under load and rotation: each record is there once."""

from __future__ import annotations

import http.client
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from disk import Disk, chain

from jsonl_audit import verify

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
WORKERS = 4
AT_LEAST = 300

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="these servers need fork"),
    pytest.mark.usefixtures("loopback"),
]


def _needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: it is of the extra `test`")


def _ask(port: int, method: str, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode().strip()
    finally:
        connection.close()


def _serve_and_ask(command: Callable[[int], list[str]], folder: Path, method: str, path: str) -> int:
    """Runs the server, asks until every worker has answered and it was often enough, ends it. Returns how often.

    The socket is made here: no port is guessed, and whoever asks before the server is there waits in its queue.
    """
    with socket.socket() as listening, (folder / "stderr").open("wb") as said:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        fd = listening.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", *command(fd)], cwd=folder, pass_fds=(fd,), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        asked = 0
        answered: set[str] = set()
        try:
            with ThreadPoolExecutor(8) as pool:
                for first in itertools.count(0, 50):
                    paths = [f"{path}{number}" for number in range(first, first + 50)]
                    answered |= set(pool.map(lambda one: _ask(port, method, one), paths))
                    asked += 50
                    if asked >= AT_LEAST and len(answered) >= WORKERS:
                        break
                    assert asked < 20_000, f"of {WORKERS} workers only {len(answered)} ever answered"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(120)
    return asked


def _records(folder: Path, name: str) -> list[dict[str, Any]]:
    assert "Logging error" not in (folder / "stderr").read_text()
    disk = Disk(folder, name)
    report = verify(disk.path, full=True)
    assert report.verdict == "intact"
    assert not report.findings
    assert len(disk.sealed()) > 3
    return chain(disk).events


@pytest.mark.parametrize("preload", [False, True])
def test_a_flask_program_with_four_workers(log_dir: Path, preload: bool) -> None:
    _needs("flask", "gunicorn")
    shutil.copy(EXAMPLES / "shop.py", log_dir)
    options = ["--preload"] if preload else []
    asked = _serve_and_ask(
        lambda fd: ["gunicorn", "--workers", str(WORKERS), "--bind", f"fd://{fd}", *options, "shop:app"],
        log_dir, "POST", "/orders/",
    )  # fmt: skip
    records = _records(log_dir, "shop.jsonl")
    assert Counter(r["args"][0] for r in records if r["type"] == "order.placed") == Counter(range(asked))
    assert len({r["process"]["id"] for r in records}) >= WORKERS


def test_uvicorn_with_four_workers_and_two_handlers_of_one_log(log_dir: Path) -> None:
    _needs("uvicorn")
    for name in ("hello.py", "uvicorn.json"):
        shutil.copy(EXAMPLES / name, log_dir)
    asked = _serve_and_ask(
        lambda fd: [
            "uvicorn", "hello:app", "--workers", str(WORKERS), "--fd", str(fd), "--log-config", "uvicorn.json",
        ],
        log_dir, "GET", "/?n=",
    )  # fmt: skip
    records = _records(log_dir, "server.jsonl")
    access = Counter(r["args"][2] for r in records if r["logger"] == "uvicorn.access")
    assert access == Counter(f"/?n={number}" for number in range(asked))
    started = [r for r in records if r["message"].startswith("Started server process")]
    assert len({r["process"]["id"] for r in started}) == WORKERS
    assert sum(r["message"].startswith("Finished server process") for r in records) == WORKERS


def test_the_examples_differ_from_what_was_there_by_the_class_name_alone() -> None:
    """With RotatingFileHandler in its place again, the configurations work too."""
    for name in ("shop.py", "uvicorn.json"):
        text = (EXAMPLES / name).read_text()
        assert "jsonl_audit.handlers.AuditHandler" in text
        assert text.count("jsonl_audit") == text.count("jsonl_audit.handlers.AuditHandler")
