"""Logs in places that are not well, and the remarks on them: `mended` runs the command of one and looks again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jsonl_audit import Diagnosis, Remark, diagnose
from jsonl_audit.doctor import rotators

__all__ = ["Patient", "as_root", "mounted", "patient", "quiet_machine"]

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")


class Patient:
    """A log, and what is said of it and its place. Rules of logrotate are those in the folder `rules`."""

    def __init__(self, path: Path, rules: Path) -> None:
        self.path = path
        self.rules = rules

    def diagnosed(self, **options: bool) -> Diagnosis:
        return diagnose(self.path, logrotate=[self.rules], **options)

    def kinds(self, **options: bool) -> list[str]:
        """What is not well."""
        return [remark.kind for remark in self.diagnosed(**options).troubles]

    def remark(self, kind: str, **options: bool) -> Remark:
        """The one remark of that kind."""
        found = self.diagnosed(**options)
        [remark] = [remark for remark in found.remarks if remark.kind == kind] or pytest.fail(str(found))
        return remark

    def mended(self, kind: str) -> Remark:
        """The remark of that kind, which is gone once its command has run."""
        remark = self.remark(kind)
        assert remark.command, f"nothing mends {kind}"
        sh(remark.command)
        assert kind not in self.kinds(), f"{remark.command} did not mend {kind}"
        return remark


def sh(command: str) -> str:
    """What a shell's command prints; it has to end well. `jsonl-audit` is this interpreter's."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.fixture
def quiet_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine's own logrotate has done counts."""
    monkeypatch.setattr(rotators, "STATUS", (str(tmp_path / "status"),))


@pytest.fixture
def patient(log_dir: Path, tmp_path: Path, quiet_machine: None) -> Patient:
    """A log that is not there yet, in an empty folder."""
    rules = tmp_path / "logrotate.d"
    rules.mkdir()
    return Patient(log_dir / "audit.jsonl", rules)


class mounted:  # noqa: N801 - reads as what it does: `with mounted(folder, "tmpfs", "size=1m")`
    """Something mounted at a folder within a `with`; a skip where that may not be done here."""

    def __init__(self, point: Path, kind: str, *options: str, device: str = "none") -> None:
        self._point = str(point)
        given = ["-o", ",".join(options)] if options else []
        how = ["--bind"] if kind == "bind" else ["-t", kind]
        self._command = ["mount", *how, *given, device, self._point]

    def __enter__(self) -> None:
        try:
            run = subprocess.run(self._command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        if run.returncode:
            pytest.skip(f"nothing may be mounted here: {run.stderr.strip()}")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", self._point], capture_output=True, stdin=subprocess.DEVNULL)
