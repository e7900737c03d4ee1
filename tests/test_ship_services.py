"""Shipping to a real S3 server (moto's) and a real SSH server (OpenSSH's), where they are here."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Disk
from test_ship_remote import Far, lying

from jsonl_audit import AuditLog, RefusedError, ship, verify

fsspec = pytest.importorskip("fsspec")
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.usefixtures("loopback"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries
]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    """A server that speaks S3, with a bucket; how it is reached."""
    pytest.importorskip("s3fs")
    servers = pytest.importorskip("moto.server")
    server = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
        fsspec.filesystem("s3", **options).mkdir("bucket")
        yield options
    finally:
        server.stop()


@pytest.fixture
def bucket(server: dict[str, Any]) -> Far:
    """A folder in it."""
    return Far(f"s3://bucket/{uuid.uuid4()}", server)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Far]:
    """A folder behind an SSH server of this machine, with a key made for it."""
    pytest.importorskip("paramiko")
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    if not os.path.exists(server) or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server here")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([server, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL) as process:
        try:
            _listening(port)
            user = getpass.getuser()
            yield Far(f"sftp://{user}@127.0.0.1:{port}{tmp_path}/far", {"key_filename": str(folder / "user")})
        finally:
            process.terminate()


def _listening(port: int) -> None:
    ends = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < ends, "the server does not listen"
            time.sleep(0.02)


def _ship(disk: Disk, far: Far, **options: Any) -> Any:
    (outcome,) = ship(disk.path, far.url, options=far.options, **options)
    return outcome


def _grow(disk: Disk, n: int) -> None:
    with disk.open() as log:
        log.append("t", n=n, details=log.attach(bytes([n]) * 3000))
        if n % 2:
            log.rotate()


def test_a_bucket_holds_the_log_after_each_round(disk: Disk, bucket: Far, tmp_path: Path) -> None:
    for n in range(5):
        _grow(disk, n)
        assert _ship(disk, bucket).ok
        assert bucket.files() == lying(disk)
    assert _ship(disk, bucket).bytes == 0
    assert verify(bucket.fetch(tmp_path / "copy") / disk.path.name).verdict == "intact"
    at = len(disk.lines()[0]) + 30
    disk.flip(at)
    with pytest.raises(RefusedError, match=f"from byte {at}"):
        _ship(disk, bucket)


def test_an_object_of_many_parts_arrives_whole(tmp_path: Path, bucket: Far) -> None:
    big = Disk(tmp_path / "big", "big.jsonl")
    big.folder.mkdir()
    with AuditLog(big.path, fsync="never", max_bytes=None) as log:
        for _ in range(600):
            log.append_many([{"type": "t", "text": "x" * 1000}] * 16)
    assert _ship(big, bucket).ok
    assert bucket.files()["big.jsonl"] == big.path.read_bytes()


def test_an_ssh_server_holds_the_log_after_each_round_with_mode_and_times(
    disk: Disk, shell: Far, tmp_path: Path
) -> None:
    for n in range(4):
        _grow(disk, n)
        outcome = _ship(disk, shell)
        assert outcome.ok
        assert shell.files() == lying(disk)
    assert _ship(disk, shell).bytes == 0
    for path in [*disk.sealed(), disk.path]:
        here, there = path.stat(), (tmp_path / "far" / path.name).stat()
        assert stat.S_IMODE(there.st_mode) == stat.S_IMODE(here.st_mode)
        assert int(there.st_mtime) == int(here.st_mtime)
    assert verify(tmp_path / "far" / disk.path.name).verdict == "intact"
