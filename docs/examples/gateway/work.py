"""What the gateway does for those who are let in: commands that somebody approved, plugins, files."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.access import Session
from gateway.web import BadRequestError, RefusedError
from jsonl_audit import events

COMMANDS = {"date": "-u", "echo": "[^-].{0,200}", "sleep": "[0-9]{1,3}", "uname": "-[amnrs]"}
"""The programs that may be asked for, and what each of their arguments must look like."""


@dataclass
class Command:
    """A command that somebody asked for. It runs once somebody else said yes."""

    argv: list[str]
    session: Session
    actor: dict[str, str]
    correlation: str
    id: str = field(default_factory=lambda: f"exec-{secrets.token_hex(6)}")
    state: str = "requested"  # approved, denied, completed
    request: str = ""
    """The id of the record that tells of the request: the parent of what follows."""
    exit_code: int | None = None
    output: bytes = b""

    @property
    def target(self) -> dict[str, str]:
        """What the events of this command are about."""
        return {"type": "command", "id": self.id, "name": self.argv[0]}

    @property
    def line(self) -> str:
        """As one would type it."""
        return shlex.join(self.argv)

    def forbidden(self) -> str:
        """Why nobody may run this, whoever approves; empty if there is no reason."""
        program, *arguments = self.argv
        if program not in COMMANDS:
            return "this program is not among those that may be run"
        if len(arguments) > 8 or not all(re.fullmatch(COMMANDS[program], argument) for argument in arguments):
            return f"these arguments are not among those that {program} may have"
        return ""

    async def run(self, folder: Path, seconds: float) -> dict[str, Any]:
        """Runs it: a list of arguments and no shell, no input, next to no environment. How it ended, for its event."""
        began = time.monotonic()
        reason = ""
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv, cwd=folder, env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            reason = f"it could not be started: {error.strerror}"
        else:
            try:
                self.output, _ = await asyncio.wait_for(process.communicate(), seconds)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()
                reason = f"it took longer than {seconds:g} s"
            self.exit_code = process.returncode
        self.state = "completed"
        ended: dict[str, Any] = {"exit_code": self.exit_code, "duration": round((time.monotonic() - began) * 1000, 1)}
        if reason:
            ended |= {"outcome": "error", "level": "error", "reason": reason}
        about = {"output_bytes": len(self.output), "output_hash": events.hash_of(self.output)}
        return {**ended, "details": about}


class Host:
    """What a plugin sees of the gateway: things it may ask for, each of which needs a permission."""

    def __init__(self, plugin: str, granted: frozenset[str]) -> None:
        self._plugin = plugin
        self._granted = granted

    def _must_have(self, permission: str) -> None:
        if permission not in self._granted:
            raise RefusedError(
                403,
                events.plugin_permission_denied(
                    reason="the plugin was not granted this", target={"type": "plugin", "id": self._plugin},
                    plugin=self._plugin, permission=permission,
                ),
            )  # fmt: skip

    def time(self) -> float:
        """Needs `clock`."""
        self._must_have("clock")
        return time.time()

    def environment(self, name: str) -> str:
        """Needs `environment`."""
        self._must_have("environment")
        return os.environ.get(name, "")


@dataclass
class Plugin:
    """A function that runs in the gateway, and what the owner grants it."""

    id: str
    version: str
    run: Callable[[Host], Any]
    granted: frozenset[str] = frozenset()
    loaded: bool = False

    @property
    def target(self) -> dict[str, str]:
        """What the events of this plugin are about."""
        return {"type": "plugin", "id": self.id}

    def call(self) -> Any:
        """What it gives. Raises RefusedError where it wants more than it was granted."""
        if not self.loaded:
            raise BadRequestError(409, "this plugin is not loaded")
        return self.run(Host(self.id, self.granted))


def plugins() -> dict[str, Plugin]:
    """Two plugins: one does what it says; the other looks for what is none of its business."""
    return {
        "clock": Plugin("clock", "1.0", lambda host: round(host.time()), frozenset({"clock"})),
        "weather": Plugin("weather", "0.3", lambda host: host.environment("HOME"), frozenset({"clock"})),
    }


def read_file(root: Path, wanted: str, *, private: bool) -> bytes:
    """A file below `root`. Raises RefusedError for what lies elsewhere, is hidden, or is private; BadRequestError."""
    said: dict[str, Any] = {"target": {"type": "file", "id": wanted}, "operation": "read"}
    plain = wanted.replace("\\", "/")
    try:
        path = (root / plain).resolve()  # follows symlinks: what counts is where they lead
    except (OSError, ValueError):  # a NUL, a ring of links
        path = root.parent
    if ".." in plain.split("/") or not path.is_relative_to(root.resolve()):
        raise RefusedError(403, events.file_traversal_blocked(reason="it leads out of the folder", **said))
    inner = [part.casefold() for part in path.relative_to(root.resolve()).parts]
    if any(part.startswith(".") for part in inner):
        raise RefusedError(403, events.file_access_denied(reason="hidden files are not served", **said))
    if inner[:1] == ["private"] and not private:
        raise RefusedError(403, events.file_access_denied(reason="this folder is the owner's", **said))
    try:
        return path.read_bytes()
    except PermissionError:
        raise RefusedError(403, events.file_access_denied(reason="the gateway may not read it", **said)) from None
    except OSError:
        raise BadRequestError(404, "no such file") from None
