"""Types of events of a gateway's security: who connected, which device, what was run, refused, loaded, rotated.

Their details are free: none is required, but what is named here must be of its kind.
"""

from __future__ import annotations

from typing import Any

from jsonl_audit.events.catalogue.entry import entry, flag, integer, number, text, texts, time
from jsonl_audit.events.kinds import EventType, OutcomeOf

__all__ = ["TYPES"]

_METHOD = {"method": text("how the client proved who it is", "device-key")}
_DEVICE = {
    "platform": text("what the device runs", "ios"),
    "fingerprint": text("of the device's public key", "SHA256:3f9c"),
    "by": text("who decided it, if that was not the actor", "u1"),
}
_RUN = {
    "command": text("the command line", "make test"),
    "cwd": text("the folder that it runs in", "/srv/app"),
    "host": text("where it runs", "node-1"),
    "approval_id": text("the approval that it waits for or goes by", "ap-1"),
}
_FILE = {
    "path": text("as it was asked for", "../../etc/passwd"),
    "operation": text("what was to be done", "read"),
    "root": text("the folder that it must not leave", "/srv/files"),
}
_PLUGIN = {
    "plugin": text("its name", "calendar"),
    "version": text("of the plugin", "1.4.0"),
    "source": text("where it came from", "registry"),
}


def _security(name: str, description: str, level: str, outcome: Any, /, **optional: Any) -> EventType:
    return entry(name, description, level=level, retention="security", outcome=outcome, optional=optional)


TYPES = (
    _security(
        "auth.connect.success", "A client proved who it is, and is connected.", "info", "success",
        **_METHOD, client=text("the program and its version", "desktop/2.1"), protocol=text("its version", "3"),
    ),
    _security(
        "auth.connect.failure", "A client could not prove who it is.", "warn", "failure",
        **_METHOD, client=text("the program and its version", "desktop/2.1"),
        attempts=integer("how often it has tried by now", 3),
    ),
    _security(
        "auth.nonce.replayed", "A nonce came a second time: somebody may be repeating what he overheard.", "error",
        "denied", **_METHOD, nonce=text("what was repeated", "n-81"), first_seen=time("when it was used first"),
    ),
    _security(
        "auth.token.expired", "A token was shown whose time is over.", "warn", "denied",
        **_METHOD, expired_at=time("when its time was over"),
    ),
    _security("device.approved", "A device may connect from now on.", "info", "success", **_DEVICE),
    _security("device.rejected", "A device was refused before it ever connected.", "warn", "denied", **_DEVICE),
    _security("device.revoked", "A device may connect no longer.", "warn", "success", **_DEVICE),
    _security(
        "rbac.denied", "A role does not permit what was asked for.", "warn", "denied",
        permission=text("what is needed", "sessions.delete"), method=text("what was called", "DELETE /sessions/7"),
        roles=texts("those that the actor has", ["viewer"]),
    ),
    _security(
        "rpc.rate_limited", "A caller asked too often, and was turned away.", "warn", "denied",
        method=text("what was called", "chat.send"), limit=integer("calls allowed in a window", 60),
        window=number("in seconds", 60), retry_after=number("in seconds", 12.5),
    ),
    _security("exec.requested", "Somebody asks to run a command.", "info", "unknown", **_RUN),
    _security(
        "exec.approved", "A command may run.", "info", "success",
        **_RUN, by=text("who decided it, if that was not the actor", "u1"),
        remember=flag("for the next time too", False),
    ),
    _security(
        "exec.denied", "A command may not run.", "warn", "denied",
        **_RUN, by=text("who or what decided it, if that was not the actor", "policy"),
    ),
    _security(
        "exec.completed", "A command has run.", "info", OutcomeOf("exit_code", {0: "success"}, "failure"),
        **_RUN, exit_code=integer("0 is success", 0), duration=number("in milliseconds", 812.5),
    ),
    _security(
        "plugin.loaded", "A plugin was loaded.", "info", "success",
        **_PLUGIN, permissions=texts("what it may do", ["calendar.read"]),
    ),
    _security("plugin.disabled", "A plugin was switched off.", "warn", "success", **_PLUGIN),
    _security(
        "plugin.permission_denied", "A plugin wanted what it may not do.", "warn", "denied",
        **_PLUGIN, permission=text("what it wanted", "files.write"),
    ),
    _security("file.access_denied", "A file may not be read or written.", "warn", "denied", **_FILE),
    _security("file.traversal_blocked", "A path led out of the folder that it belongs in.", "error", "denied", **_FILE),
    _security(
        "session.created", "A session began.", "info", "success",
        **_METHOD, expires_at=time("when it ends by itself", "2026-11-22T10:11:12Z"),
    ),
    _security(
        "session.killed", "A session was ended from outside.", "warn", "success",
        by=text("who ended it, if that was not the actor", "u1"), sessions=integer("how many, if several", 1),
    ),
    _security(
        "secret.rotated", "A secret was replaced by a new one.", "info", "success",
        name=text("of the secret, never the secret itself", "signing-2"), version=integer("of the new one", 3),
        expires_at=time("when the new one expires", "2027-11-21T00:00:00Z"),
    ),
)  # fmt: skip
