"""The doctor looks at where a log lies: mounts, full disks, processes, rules of logrotate, locks and syncs."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disk import Disk
from patients import Patient, as_root, mounted, patient, quiet_machine, sh

from jsonl_audit import AuditLog, SealError, storage, verify
from jsonl_audit.doctor import filesystem, mounts, probe
from jsonl_audit.doctor.logrotate import Rule, rules

__all__ = ["patient", "quiet_machine"]

pytestmark = pytest.mark.exhaustive  # the machine is the same, whichever Python looks at it

ANOTHER = {"clock-not-synchronised", "cleaned-up"}


@pytest.fixture
def small_disk(log_dir: Path, patient: Patient) -> Patient:
    """A log in segments of 64 KiB, on a tmpfs of 4 MiB."""
    with mounted(log_dir, "tmpfs", "size=4m,mode=0700"):
        with AuditLog(patient.path, max_bytes=65536, fsync="never") as log:
            for n in range(700):
                log.append("test.event", n=n, text="the same again and again " * 20)
        yield patient


# -- what it lies on


@as_root
def test_a_log_in_memory_is_moved_to_a_disk(
    small_disk: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(filesystem, "HOMES", (str(home),))
    remark = small_disk.remark("in-memory")
    assert (remark.level, remark.facts["type"]) == ("problem", "tmpfs")
    if not remark.command:
        pytest.skip("there is no disk here")
    before = verify(small_disk.path)
    sh(remark.command)
    moved = Patient(home / "log" / "audit.jsonl", small_disk.rules)
    assert "in-memory" not in moved.kinds()
    after = verify(moved.path)
    assert (after.verdict, after.head, after.segments) == ("intact", before.head, before.segments)


@as_root
def test_many_segments_are_moved_by_one_command(
    log_dir: Path, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "log").mkdir(parents=True)  # somebody else's
    monkeypatch.setattr(filesystem, "HOMES", (str(home),))
    with mounted(log_dir, "tmpfs", "size=4m,mode=0700"):
        Disk(log_dir).make(*[1] * 60)
        (log_dir / "not the log's").write_bytes(b"")
        remark = patient.remark("in-memory")
        if not remark.command:
            pytest.skip("there is no disk here")
        sh(remark.command)
        assert os.listdir(log_dir) == ["not the log's"]
    assert verify(home / "log-2" / "audit.jsonl").segments == 60


@as_root
def test_a_read_only_mount_is_made_writable(small_disk: Patient) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk.path.parent], check=True)
    assert "not-tried" in small_disk.kinds(probe=True)
    assert small_disk.mended("read-only").level == "problem"


@as_root
def test_a_log_on_a_containers_layer_is_told(log_dir: Path, tmp_path: Path, patient: Patient) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with mounted(parts, "tmpfs", "size=1m"):
        for name in ("lower", "upper", "work"):
            (parts / name).mkdir()
        options = [f"{name}dir={parts / name}" for name in ("lower", "upper", "work")]
        with mounted(log_dir, "overlay", *options, device="overlay"):
            Disk(log_dir).make(2)
            assert patient.remark("container-layer").level == "problem"


@as_root
def test_a_log_that_is_itself_mounted_is_unmounted(tmp_path: Path, patient: Patient) -> None:
    Disk(patient.path.parent).make(2)
    with mounted(patient.path, "bind", device=str(shutil.copy(patient.path, tmp_path / "outside"))):
        assert patient.mended("mounted-file").level == "problem"


@as_root
def test_a_name_in_another_folder_of_the_disk_is_found(small_disk: Patient) -> None:
    other = small_disk.path.parent / "backups" / "of it"
    other.parent.mkdir()
    os.link(small_disk.path, other)
    assert "1 of them outside this folder" in small_disk.mended("hard-linked").message
    assert other.read_bytes() == small_disk.path.read_bytes()


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("nfs4 server:/export rw,vers=4.2,hard,local_lock=none", {"network"}),
        ("nfs server:/export rw,vers=3,soft,nolock,local_lock=all", {"no-shared-locks", "soft-mount"}),
        ("cifs //server/share rw", {"network"}),
        ("fuse.sshfs server: rw", {"network"}),
        ("9p host rw", {"network"}),
        ("vfat /dev/sda1 rw", {"no-permissions"}),
        ("ext4 /dev/sda1 rw,nobarrier", {"no-barriers"}),
        ("ext4 /dev/sda1 ro,errors=remount-ro", {"read-only"}),
        ("xfs /dev/sda1 rw,sync", {"mounted-sync"}),
        ("ramfs none rw", {"in-memory"}),
        ("ext4 /dev/sda1 rw,data=ordered", set()),
    ],
)
def test_each_kind_of_file_system_is_known(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, kinds: set[str]
) -> None:
    Disk(patient.path.parent).make(1)
    kind, device, options = line.split()
    table = tmp_path / "mountinfo"
    table.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/root rw\n"
        f"2 1 8:2 / {patient.path.parent} {options.split(',')[0]} - {kind} {device} {options}\n"
    )
    monkeypatch.setattr(mounts, "MOUNTINFO", str(table))
    monkeypatch.setattr(mounts.sys, "platform", "linux")
    found = {remark.kind for remark in patient.diagnosed().troubles if remark.check == "filesystem"}
    assert found - ANOTHER == kinds
    table.unlink()
    assert "filesystem" in {remark.kind for remark in patient.diagnosed().remarks} | {"cleaned-up"}


# -- how much room there is


@as_root
def test_sealed_segments_are_compressed_where_the_disk_is_nearly_full(small_disk: Patient) -> None:
    folder = small_disk.path.parent
    fill(folder / "filler", keep=100_000)
    remark = small_disk.mended("disk-nearly-full")
    assert remark.command.startswith("gzip ")
    assert verify(small_disk.path).verdict == "intact"


@as_root
def test_on_a_full_disk_what_fills_it_is_shown(small_disk: Patient) -> None:
    folder = small_disk.path.parent
    for path in folder.glob("audit.2*"):
        path.unlink()
    fill(folder / "what fills it", keep=0)
    remark = small_disk.remark("disk-nearly-full")
    assert (remark.level, remark.facts["free"]) == ("problem", 0)
    assert "what fills it" in sh(remark.command)
    assert small_disk.remark("sync-fails", probe=True).level == "problem"
    assert not list(folder.glob("*.probe*")), "the file of the probe is gone"


@as_root
def test_a_disk_on_which_no_more_files_can_be_made_is_told(log_dir: Path, patient: Patient) -> None:
    with mounted(log_dir, "tmpfs", "size=4m,nr_inodes=50,mode=0700"):
        Disk(log_dir).make(2)
        assert 0 < patient.remark("no-more-files").facts["names"] < 50
        sh(patient.remark("no-more-files").command)


def fill(path: Path, *, keep: int) -> None:
    """Fills the disk, but for so many bytes."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while (free := storage.free_space(str(path.parent))[0]) > keep:
            os.write(fd, bytes(min(4096, free)))
    finally:
        os.close(fd)


# -- who uses it


def test_the_writer_that_holds_the_log_is_named_and_not_disturbed(patient: Patient) -> None:
    with AuditLog(patient.path) as log:
        log.append("a.b")
        found = patient.diagnosed(probe=True)
        [usage] = [remark for remark in found.remarks if remark.check == "usage"]
        assert f"pid {os.getpid()}" in usage.message
        assert log.append("a.b").seq == 3
    assert verify(patient.path).verdict == "intact"


@pytest.fixture
def process(tmp_path: Path) -> object:
    """Starts a process that says when it is ready and then waits."""
    started = []

    def start(code: str, *args: object, **env: str) -> subprocess.Popen[bytes]:
        whole = f"import sys\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
        child = subprocess.Popen(
            [sys.executable, "-c", whole, *map(str, args)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **env},
        )  # fmt: skip
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
class TestProcesses:
    """What other processes do with the log."""

    def test_one_that_writes_without_the_lock_is_ended(self, patient: Patient, process: object) -> None:
        Disk(patient.path.parent).make(1)
        child = process("file = open(sys.argv[1], 'ab')", patient.path)
        remark = patient.remark("written-by-a-stranger")
        assert remark.facts["pids"] == [child.pid]
        sh(remark.command)
        assert child.wait(30) == -signal.SIGTERM
        assert "written-by-a-stranger" not in patient.kinds()

    def test_readers_and_writers_of_ours_are_no_strangers(self, patient: Patient, process: object) -> None:
        Disk(patient.path.parent).make(1)
        process("file = open(sys.argv[1], 'rb')", patient.path)
        process("import jsonl_audit; log = jsonl_audit.AuditLog(sys.argv[1])", patient.path)
        assert "written-by-a-stranger" not in patient.kinds()
        [usage] = [remark for remark in patient.diagnosed().remarks if remark.check == "usage"]
        assert "held by" in usage.message
        assert "read by" in usage.message

    def test_one_that_runs_under_eatmydata_is_told(self, patient: Patient, process: object) -> None:
        process(
            "import jsonl_audit; log = jsonl_audit.AuditLog(sys.argv[1])", patient.path, LD_PRELOAD="libeatmydata.so"
        )
        assert patient.remark("syncs-swallowed").level == "problem"

    @pytest.mark.skipif(not shutil.which("prlimit"), reason="there is no prlimit")
    def test_one_that_may_write_no_large_file_is_let(self, patient: Patient, process: object) -> None:
        code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))\n"
        process(f"{code}import jsonl_audit; log = jsonl_audit.AuditLog(sys.argv[1])", patient.path)
        assert patient.mended("file-size-limited").level == "problem"

    def test_a_shipper_that_takes_only_shorter_lines_gets_a_configuration(
        self, patient: Patient, process: object
    ) -> None:
        with AuditLog(patient.path, fsync="never") as log:
            log.append("a.b", text="x" * 10_000)
        reads = "open('/proc/self/comm', 'w').write('{}'); file = open(sys.argv[1], 'rb')"
        process(reads.format("vector"), patient.path)
        assert "longer-than-taken" not in patient.kinds()
        process(reads.format("rsyslogd"), patient.path)
        assert "maxMessageSize" in sh(patient.remark("longer-than-taken").command)

    @as_root
    def test_a_log_that_is_shared_with_nobody_is_told(self, patient: Patient, process: object) -> None:
        opens = "import jsonl_audit; log = jsonl_audit.AuditLog(sys.argv[1], shared=True); log.append('a.b')"
        process(opens, patient.path)
        assert patient.remark("shared-with-nobody").setting == "shared=False"
        process(opens, patient.path)
        assert "shared-with-nobody" not in patient.kinds()


# -- locks and syncs


def test_a_file_system_without_locks_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(patient.path.parent).make(1)

    def refuses(fd: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(storage, "lock", refuses)
    assert patient.remark("no-locks", probe=True).level == "problem"


@pytest.mark.parametrize(("answer", "kind"), [(False, "locks-keep-nobody-out"), (None, "locks-not-tried")])
def test_locks_that_keep_nobody_out_are_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, answer: bool | None, kind: str
) -> None:
    Disk(patient.path.parent).make(1)
    code = {False: "", None: "raise SystemExit(9)"}[answer]
    monkeypatch.setattr(probe, "_TAKES", code)
    assert kind in patient.kinds(probe=True)


def test_a_slow_disk_is_told_with_what_it_costs(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(patient.path.parent).make(1, fsync="always")
    clock = iter(n * 0.03 for n in range(10**6))
    monkeypatch.setattr(probe.time, "perf_counter", lambda: next(clock))
    assert "appends 33 events a second" in patient.remark("sync-slow", probe=True).reason
    Disk(patient.path.parent).make(1, fsync="interval")
    assert "sync-slow" not in patient.kinds(probe=True)


def test_a_sync_that_fails_is_told_and_the_file_is_gone(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(patient.path.parent).make(1)

    def fails(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(storage, "sync", fails)
    assert patient.remark("sync-fails", probe=True).level == "problem"
    assert not list(patient.path.parent.glob("*probe*"))


# -- logrotate


def rule(patient: Patient, text: str, name: str = "app") -> Path:
    """A file of rules, in which LOG is the log and DIR its folder."""
    path = patient.rules / name
    path.write_text(text.replace("LOG", str(patient.path)).replace("DIR", str(patient.path.parent)))
    return path


WAYS = [
    ("LOG {\n  daily\n  copytruncate\n  rotate 4\n}\n", "logrotate-cuts"),
    ("copytruncate\n\nDIR/*.jsonl\n{\n  weekly\n}\n", "logrotate-cuts"),
    ('"DIR/audit.jsonl" {\n  daily\n  create 0640 root adm\n}\n', "logrotate-renames"),
    ("DIR/audit.* {\n  rotate 3\n  postrotate\n    kill -HUP {}\n    # }\n  endscript\n}\n", "logrotate-renames"),
    ("/no/where/*.log\nDIR/aud?t.jsonl {\n nocreate }\n", "logrotate-renames"),
    ("DIR/audit.*Z.jsonl { compress\n}\n", "logrotate-renames"),
    ("LOG { copy\n}\n", "logrotate-copies"),
    ("DIR/*.log DIR/[a-c]*.jsonl {\n}\n", "logrotate-renames"),
]


@pytest.mark.parametrize(("text", "kind"), WAYS, ids=[str(number) for number in range(len(WAYS))])
def test_a_rule_that_touches_the_log_is_named_and_let_go(patient: Patient, text: str, kind: str) -> None:
    Disk(patient.path.parent).make(1, 1)
    path = rule(patient, text)
    before = path.read_text()
    remark = patient.mended(kind)
    assert str(path) in remark.message
    [kept] = path.parent.glob("app.*.disabled")
    assert kept.read_text() == before
    assert not [kind for kind in patient.kinds() if kind.startswith("logrotate")]


def test_other_logs_of_a_rule_stay_in_it(patient: Patient) -> None:
    Disk(patient.path.parent).make(1, 1)
    for name in ("web.jsonl", "my mail.jsonl"):
        patient.path.with_name(name).write_text("{}\n")
    path = rule(patient, "/var/log/other.log\nDIR/*.jsonl\n{ daily\n  copytruncate\n}\nLOG.x {\n weekly\n}\n")
    patient.mended("logrotate-cuts")
    first, second = rules((str(path),))
    folder = patient.path.parent
    assert set(first.patterns) == {"/var/log/other.log", f"{folder}/web.jsonl", f"{folder}/my mail.jsonl"}
    assert {"daily", "copytruncate"} <= first.words
    assert second.patterns == (f"{patient.path}.x",)


@pytest.mark.parametrize(
    "text",
    ["/var/log/*.log {\n daily\n}\n", "DIR/*.log {\n copytruncate\n}\n", "DIR*.jsonl {\n}\n", "# LOG {\n}\n",
     "DIR/audit.jsonl.gz {\n}\n", "", "{", "}}}", "include /no/where\n", '"unclosed {\n', "LOG", "\0\xff"],
)  # fmt: skip
def test_other_rules_and_broken_ones_are_no_remark(patient: Patient, text: str) -> None:
    Disk(patient.path.parent).make(1)
    rule(patient, text)
    assert not [kind for kind in patient.kinds() if "logrotate" in kind or kind == "not-looked-at"]


def test_rules_are_found_where_logrotate_finds_them(patient: Patient, tmp_path: Path) -> None:
    folder = patient.rules
    (folder / "a.conf").write_text(f"/a {{\n}}\ninclude {tmp_path}/more\ncopytruncate\n")
    (folder / "old.disabled").write_text("/never {\n}\n")
    (folder / "again").symlink_to(folder / "a.conf")
    more = tmp_path / "more"
    more.mkdir()
    (more / "b").write_text(f"nocreate\n/b {{\n}}\ninclude {folder}\n")
    found = rules((str(folder / "a.conf"), str(folder)))
    assert [each.patterns for each in found] == [("/a",), ("/b",)]
    (folder / "z").write_text("/z {\n}\n")
    (more / "b").unlink()
    assert [each.way for each in rules((str(folder),))] == ["rename", "copytruncate"], "it holds for what follows"


def test_a_folder_that_is_a_symlink_is_the_same_folder(patient: Patient, tmp_path: Path) -> None:
    Disk(patient.path.parent).make(1)
    (tmp_path / "link").symlink_to(patient.path.parent)
    rule(patient, f"{tmp_path}/link/*.jsonl {{\n}}\n")
    patient.mended("logrotate-renames")


def test_the_commands_for_several_rules_of_a_file_may_all_be_run(patient: Patient) -> None:
    Disk(patient.path.parent).make(1, 1)
    patient.path.with_name("web.jsonl").write_text("{}\n")
    path = rule(patient, "DIR/*.jsonl\n/other.log\n{\n daily\n}\nLOG {\n copytruncate\n}\n/last {\n}\n")
    found = [remark for remark in patient.diagnosed().troubles if remark.check == "logrotate"]
    assert len(found) == 2
    for remark in found:
        sh(remark.command)
    assert "logrotate" not in {remark.check for remark in patient.diagnosed().troubles}
    assert [each.patterns for each in rules((str(path),))] == [
        ("/other.log", str(patient.path.with_name("web.jsonl"))), ("/last",),
    ]  # fmt: skip


def test_rules_that_cannot_be_read_are_told(patient: Patient, tmp_path: Path) -> None:
    Disk(patient.path.parent).make(1)
    os.mkfifo(tmp_path / "rules")
    patient.rules = tmp_path / "rules"
    assert patient.remark("rules-not-read").facts["files"] == [str(patient.rules)]


def test_what_logrotate_has_done_before_is_told(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(patient.path.parent).make(1)
    (tmp_path / "status").write_text(f'logrotate state -- version 2\n"{patient.path}" 2026-11-20-6:0:0\n')
    assert patient.remark("rotated-before").facts["last"] == "2026-11-20-6:0:0"


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
@pytest.mark.parametrize(("text", "kind"), WAYS, ids=[str(number) for number in range(len(WAYS))])
def test_logrotate_itself_agrees(patient: Patient, text: str, kind: str) -> None:
    Disk(patient.path.parent).make(1, 1)
    path = rule(patient, text)
    path.chmod(0o644)
    os.chown(path, 0, 0) if os.geteuid() == 0 else None

    def considered() -> bool:
        run = subprocess.run(["logrotate", "-d", path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return f"considering log {patient.path.parent}/audit" in run.stdout + run.stderr

    assert considered()
    patient.mended(kind)
    assert not considered()


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
@pytest.mark.parametrize("way", ["copytruncate", "create", "nocreate"])
def test_what_logrotate_did_under_a_writer_is_put_right(patient: Patient, tmp_path: Path, way: str) -> None:
    path = rule(patient, f"LOG {{\n  rotate 9\n  missingok\n  {way}\n}}\n")
    path.chmod(0o644)
    run = ["logrotate", "-f", "-s", tmp_path / "state", path]
    with AuditLog(patient.path) as log:
        for n in range(3):
            log.append("test.event", n=n)
            if n < 2:
                subprocess.run(run, check=True, capture_output=True, stdin=subprocess.DEVNULL)
                with contextlib.suppress(SealError):  # the file is not there to be sealed: the next append goes on
                    log.rotate()
    assert verify(patient.path).verdict in ("tampered", "incomplete")
    while commands := [remark.command for remark in patient.diagnosed().troubles if remark.level == "problem"
                       and remark.check in ("logrotate", "leftovers")]:  # fmt: skip
        sh(commands[0])
    report = verify(patient.path)
    assert report.last_seq is not None
    assert report.records == report.verified == report.last_seq, "every record has its place again"
    assert report.verdict in ("intact", "incomplete"), str(report)
    assert not [finding for finding in report.findings if finding.kind != "segment-missing"]


def test_a_rule_says_which_files_are_its_own() -> None:
    own = Rule("", 1, 1, 2, ("/var/log/app/*.jsonl", "/srv/*/audit.*"), frozenset())
    assert own.matches("/var/log/app/audit.jsonl")
    assert own.matches("/srv/a/audit.20261121T101112123456Z.jsonl")
    assert not own.matches("/var/log/app/.hidden.jsonl")
    assert not own.matches("/var/log/app/sub/audit.jsonl")
    assert own.way == "rename"
