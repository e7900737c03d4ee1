"""The routes: what each needs, what it does, and the events that tell of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.access import ROLES, may
from gateway.web import BadRequestError, RefusedError, Reply, Request
from gateway.work import Command, Plugin, read_file
from jsonl_audit import AuditError, context, events

if TYPE_CHECKING:
    from gateway.app import Call, Gateway

    Handler = Callable[[Gateway, Call], Awaitable[Reply]]


class Route(NamedTuple):
    """A way in. `right` is what a session needs, empty for nothing more than a session, None for not even that."""

    name: str
    method: str
    path: re.Pattern[str]
    right: str | None
    handle: Handler


ROUTES: list[Route] = []


def route(call: str, right: str | None) -> Callable[[Handler], Handler]:
    """Puts a function behind a method and a path, in which `*` stands for what is named."""

    def add(handle: Handler) -> Handler:
        method, _, path = call.partition(" ")
        named = "(.+)" if path.startswith("/files/") else "([^/]+)"
        pattern = re.compile(re.escape(path).replace(r"\*", named), re.DOTALL)
        ROUTES.append(Route(handle.__name__, method, pattern, right, handle))
        return handle

    return add


def find(request: Request) -> tuple[Route, str]:
    """The route of a request and what its path names. Raises BadRequestError."""
    found = [(one, match) for one in ROUTES if (match := one.path.fullmatch(request.path))]
    for one, match in found:
        if one.method == request.method:
            return one, match[1] if match.re.groups else ""
    raise BadRequestError(405 if found else 404, "no such thing here")


# -- who may come in ------------------------------------------------------------------------------


@route("POST /pair", None)
async def pair(gateway: Gateway, call: Call) -> Reply:
    """A device introduces itself. It gets its secret now, and can do nothing with it until it is approved."""
    [name] = call.request.texts("name")
    device = gateway.access.pair(name)
    return Reply(202, {"device": device.id, "secret": gateway.access.new_secret(device)})


@route("POST /connect", None)
async def connect(gateway: Gateway, call: Call) -> Reply:
    """A device proves who it is and gets a token."""
    device = gateway.access.prove(*call.request.texts("device", "nonce", "time", "proof"))
    session, token = gateway.access.new_session(device)
    with context(actor=session.actor(call.request.ip), session=session.id):
        connected = await gateway.record(events.auth_connect_success(method="hmac", target=device.target))
        await gateway.record(
            events.session_created(expires_at=session.ends, target=session.target, parent=connected)
        )
        gateway.access.begin(session)
    return Reply(201, {"token": token, "session": session.id, "ends": session.ends})


@route("POST /devices/*/approve", "devices")
async def approve_device(gateway: Gateway, call: Call) -> Reply:
    """The owner lets a device in, in a role."""
    device, [role] = gateway.access.device(call.named), call.request.texts("role")
    if role not in ROLES or device.state != "pending":
        raise BadRequestError(409, "no such role" if role not in ROLES else f"the device is {device.state}")
    await gateway.record(events.device_approved(target=device.target, details={"role": role}))
    if device.state != "pending":  # rejected or revoked while this was recorded
        raise BadRequestError(409, f"the device is {device.state}")
    device.role, device.state = role, "approved"
    return Reply(200, {"device": device.id, "state": device.state})


@route("POST /devices/*/reject", "devices")
async def reject_device(gateway: Gateway, call: Call) -> Reply:
    """The owner does not let a device in."""
    device = gateway.access.device(call.named)
    if device.state != "pending":
        raise BadRequestError(409, f"the device is {device.state}")
    device.state = "rejected"
    await gateway.record(events.device_rejected(target=device.target))
    return Reply(200, {"device": device.id, "state": device.state})


@route("POST /devices/*/revoke", "devices")
async def revoke_device(gateway: Gateway, call: Call) -> Reply:
    """The owner shuts a device out, and ends its sessions."""
    device = gateway.access.device(call.named)
    device.state = "revoked"
    ended = gateway.access.end(device=device)
    revoked = await gateway.record(events.device_revoked(target=device.target))
    for session in ended:
        await gateway.record(
            events.session_killed(reason="its device was revoked", target=session.target, parent=revoked)
        )
    return Reply(200, {"device": device.id, "state": device.state, "sessions_ended": len(ended)})


@route("POST /devices/*/secret", "")
async def rotate_secret(gateway: Gateway, call: Call) -> Reply:
    """A device, or the owner for it, gets a new secret. It goes over the wire once and into the log never."""
    device = gateway.access.device(call.named)
    if device is not call.caller.device:
        may(call.caller, "devices")
    await gateway.record(events.secret_rotated(name=f"of {device.id}", target=device.target))
    return Reply(200, {"device": device.id, "secret": gateway.access.new_secret(device)})


@route("DELETE /sessions/*", "")
async def kill_session(gateway: Gateway, call: Call) -> Reply:
    """Ends a session: one's own, or with the right to it anybody's."""
    if call.named != call.caller.id:
        may(call.caller, "sessions")
    ended = gateway.access.end(id=call.named)
    if not ended:
        raise BadRequestError(404, "no such session")
    await gateway.record(events.session_killed(target=ended[0].target))
    return Reply(200, {"session": call.named, "state": "killed"})


# -- what may be done -----------------------------------------------------------------------------


@route("POST /exec", "exec.request")
async def request_exec(gateway: Gateway, call: Call) -> Reply:
    """Asks for a command to be run. What no rule allows is denied at once; the rest waits for a person."""
    command = Command(call.request.words("argv"), call.caller, call.actor, call.correlation)
    command.request = await gateway.record(events.exec_requested(command=command.line, target=command.target))
    if reason := command.forbidden():
        command.state = "denied"
        await gateway.record(
            events.exec_denied(
                command=command.line, by="policy", reason=reason, target=command.target, parent=command.request
            )
        )
        return Reply(403, {"exec": command.id, "error": reason})
    gateway.commands[command.id] = command
    return Reply(202, {"exec": command.id, "state": command.state})


@route("POST /exec/*/approve", "exec.decide")
async def approve_exec(gateway: Gateway, call: Call) -> Reply:
    """A person says yes; then the command runs, in the name of who asked for it."""
    command = waiting(gateway, call)
    command.state = "approved"  # before anything is awaited: nobody else approves it meanwhile
    said: dict[str, Any] = {"command": command.line, "target": command.target, "correlation": command.correlation}
    try:
        approved = await gateway.record(events.exec_approved(**said, parent=command.request))
    except AuditError:
        command.state = "requested"
        raise
    ended = await command.run(gateway.settings.files, gateway.settings.command_seconds)
    with context(actor=command.actor, session=command.session.id):
        await gateway.record(events.exec_completed(**said, **ended, parent=approved))
    return Reply(200, {"exec": command.id, "state": command.state, "exit_code": command.exit_code})


@route("POST /exec/*/deny", "exec.decide")
async def deny_exec(gateway: Gateway, call: Call) -> Reply:
    """A person says no."""
    command, [reason] = waiting(gateway, call), call.request.texts("reason")
    command.state = "denied"
    await gateway.record(
        events.exec_denied(
            command=command.line, reason=reason, target=command.target, correlation=command.correlation,
            parent=command.request,
        )
    )  # fmt: skip
    return Reply(200, {"exec": command.id, "state": command.state})


@route("GET /exec/*", "exec.request")
async def show_exec(gateway: Gateway, call: Call) -> Reply:
    """How a command of one's own is getting on."""
    command = gateway.commands.get(call.named)
    if command is None or command.session.device is not call.caller.device:
        raise BadRequestError(404, "no such command of yours")
    output = command.output.decode(errors="replace")
    return Reply(200, {"exec": command.id, "state": command.state, "exit_code": command.exit_code, "output": output})


def waiting(gateway: Gateway, call: Call) -> Command:
    """The command that a decision is about. Nobody decides about what he asked for himself."""
    command = gateway.commands.get(call.named)
    if command is None or command.state != "requested":
        raise BadRequestError(404, "no such command waits for a decision")
    if command.session.device is call.caller.device:
        raise RefusedError(403, events.rbac_denied(reason="somebody else must decide", permission="exec.decide"))
    return command


@route("POST /plugins/*/load", "plugins")
async def load_plugin(gateway: Gateway, call: Call) -> Reply:
    """The owner lets a plugin run, with the permissions that it is granted."""
    plugin = find_plugin(gateway, call)
    await gateway.record(
        events.plugin_loaded(
            plugin=plugin.id, version=plugin.version, permissions=sorted(plugin.granted), target=plugin.target
        )
    )
    plugin.loaded = True
    return Reply(200, {"plugin": plugin.id, "state": "loaded"})


@route("POST /plugins/*/disable", "plugins")
async def disable_plugin(gateway: Gateway, call: Call) -> Reply:
    """The owner stops a plugin."""
    plugin, [reason] = find_plugin(gateway, call), call.request.texts("reason")
    plugin.loaded = False
    await gateway.record(events.plugin_disabled(plugin=plugin.id, reason=reason, target=plugin.target))
    return Reply(200, {"plugin": plugin.id, "state": "disabled"})


@route("POST /plugins/*/run", "plugins.run")
async def run_plugin(gateway: Gateway, call: Call) -> Reply:
    """Runs a plugin, which is refused whatever it was not granted."""
    return Reply(200, {"result": find_plugin(gateway, call).call()})


def find_plugin(gateway: Gateway, call: Call) -> Plugin:
    """The plugin that a call names."""
    if call.named not in gateway.plugins:
        raise BadRequestError(404, "no such plugin")
    return gateway.plugins[call.named]


@route("GET /files/*", "files")
async def serve_file(gateway: Gateway, call: Call) -> Reply:
    """A file out of the gateway's folder, and nothing beside it."""
    private = "files.private" in ROLES[call.caller.device.role]
    return Reply(200, read_file(gateway.settings.files, call.named, private=private))
