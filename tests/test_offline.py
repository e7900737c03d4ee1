"""All of it works without a network: the demo and the examples run where there is nothing but a loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
# A new network has a loopback that is down. Put up, it leads nowhere; then the rest of the arguments is run.
ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    name = b"lo".ljust(16, b"\\0")
    flags = struct.unpack_from("H", fcntl.ioctl(any_socket, 0x8913, name + bytes(24)), 16)[0]
    fcntl.ioctl(any_socket, 0x8914, name + struct.pack("H", flags | 1) + bytes(22))
try:
    socket.create_connection(("192.0.2.1", 80), 5)
except OSError as error:
    print("beyond this machine:", error.strerror, flush=True)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def _alone(*arguments: str, cwd: Path) -> str:
    """What Python says where no network is."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not here: it is of Linux")
    for options in (["--net"], ["--net", "--map-root-user"]):
        command = ["unshare", *options, sys.executable]
        if subprocess.run([*command, "-c", ""], capture_output=True).returncode == 0:
            run = subprocess.run(
                [*command, "-c", ALONE, *arguments], cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "80"},
            )  # fmt: skip
            assert run.returncode == 0, run.stdout
            assert "beyond this machine: Network is unreachable" in run.stdout
            return run.stdout
    pytest.skip("a network of one's own is not permitted here")


def test_the_demo_needs_no_network(tmp_path: Path) -> None:
    assert "\n   ok intact" in _alone("-m", "jsonl_audit", "demo", cwd=tmp_path)


@pytest.mark.exhaustive
def test_the_examples_need_no_network() -> None:
    said = _alone(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_example_gateway.py", "tests/test_example_agent.py",
        "-k", "a_day or whole", cwd=TESTS.parent,
    )  # fmt: skip
    assert re.search(r"\d+ passed", said)
