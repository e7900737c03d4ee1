# Written by docs/generate_types.py from the catalogue itself: do not edit.
# What a type checker and an editor know of the functions that make events; they are made when they are first used.

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from jsonl_audit.events.details import Detail as Detail
from jsonl_audit.events.hashed import hash_of as hash_of
from jsonl_audit.events.kinds import EventType as EventType
from jsonl_audit.events.kinds import Hashed as Hashed
from jsonl_audit.events.kinds import OutcomeOf as OutcomeOf
from jsonl_audit.events.model import AuditEvent as AuditEvent
from jsonl_audit.events.parties import Actor as Actor
from jsonl_audit.events.parties import Target as Target
from jsonl_audit.events.prepare import prepared as prepared
from jsonl_audit.events.registry import get as get
from jsonl_audit.events.registry import register as register
from jsonl_audit.events.registry import types as types
from jsonl_audit.events.schema import json_schema as json_schema
from jsonl_audit.events.versions import upgraded as upgraded

def auth_connect_success(
    *, method: str | None = None, client: str | None = None, protocol: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`auth.connect.success`: A client proved who it is, and is connected."""

def auth_connect_failure(
    *, method: str | None = None, client: str | None = None, attempts: int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`auth.connect.failure`: A client could not prove who it is."""

def auth_nonce_replayed(
    *, method: str | None = None, nonce: str | None = None, first_seen: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`auth.nonce.replayed`: A nonce came a second time: somebody may be repeating what he overheard."""

def auth_token_expired(
    *, method: str | None = None, expired_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`auth.token.expired`: A token was shown whose time is over."""

def device_approved(
    *, platform: str | None = None, fingerprint: str | None = None, by: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`device.approved`: A device may connect from now on."""

def device_rejected(
    *, platform: str | None = None, fingerprint: str | None = None, by: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`device.rejected`: A device was refused before it ever connected."""

def device_revoked(
    *, platform: str | None = None, fingerprint: str | None = None, by: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`device.revoked`: A device may connect no longer."""

def rbac_denied(
    *, permission: str | None = None, method: str | None = None, roles: Sequence[str] | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`rbac.denied`: A role does not permit what was asked for."""

def rpc_rate_limited(
    *, method: str | None = None, limit: int | None = None, window: float | None = None,
    retry_after: float | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`rpc.rate_limited`: A caller asked too often, and was turned away."""

def exec_requested(
    *, command: str | None = None, cwd: str | None = None, host: str | None = None, approval_id: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`exec.requested`: Somebody asks to run a command."""

def exec_approved(
    *, command: str | None = None, cwd: str | None = None, host: str | None = None, approval_id: str | None = None,
    by: str | None = None, remember: bool | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`exec.approved`: A command may run."""

def exec_denied(
    *, command: str | None = None, cwd: str | None = None, host: str | None = None, approval_id: str | None = None,
    by: str | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`exec.denied`: A command may not run."""

def exec_completed(
    *, command: str | None = None, cwd: str | None = None, host: str | None = None, approval_id: str | None = None,
    exit_code: int | None = None, duration: float | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`exec.completed`: A command has run."""

def plugin_loaded(
    *, plugin: str | None = None, version: str | None = None, source: str | None = None,
    permissions: Sequence[str] | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`plugin.loaded`: A plugin was loaded."""

def plugin_disabled(
    *, plugin: str | None = None, version: str | None = None, source: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`plugin.disabled`: A plugin was switched off."""

def plugin_permission_denied(
    *, plugin: str | None = None, version: str | None = None, source: str | None = None,
    permission: str | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`plugin.permission_denied`: A plugin wanted what it may not do."""

def file_access_denied(
    *, path: str | None = None, operation: str | None = None, root: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`file.access_denied`: A file may not be read or written."""

def file_traversal_blocked(
    *, path: str | None = None, operation: str | None = None, root: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`file.traversal_blocked`: A path led out of the folder that it belongs in."""

def session_created(
    *, method: str | None = None, expires_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`session.created`: A session began."""

def session_killed(
    *, by: str | None = None, sessions: int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`session.killed`: A session was ended from outside."""

def secret_rotated(
    *, name: str | None = None, version: int | None = None, expires_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`secret.rotated`: A secret was replaced by a new one."""

def tool_call(
    *, tool: str, call_id: str | None = None, arguments: Any = None, input_hash: str | None = None,
    output_hash: str | None = None, duration: float | None = None, error: str | Mapping[str, Any] | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`tool.call`: A tool was called."""

def command_run(
    *, command: str | Sequence[str], cwd: str | None = None, exit_code: int | None = None,
    signal: str | None = None, stdout_bytes: int | None = None, stderr_bytes: int | None = None,
    duration: float | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`command.run`: A command was run."""

def file_modified(
    *, path: str, operation: Literal["modified", "created", "deleted", "renamed"] | None = None,
    old_path: str | None = None, bytes: int | None = None, lines_added: int | None = None,
    lines_removed: int | None = None, before_hash: str | None = None, after_hash: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`file.modified`: A file was made, changed, moved or deleted."""

def git_operation(
    *, operation: str, repository: str | None = None, branch: str | None = None, commit: str | None = None,
    remote: str | None = None, files: int | None = None, error: str | Mapping[str, Any] | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`git.operation`: A repository was read or changed by git."""

def model_prompt(
    *, model_id: str, prompt_hash: str | None = None, prompt_length: int | None = None, provider: str | None = None,
    call_id: str | None = None, tokens_in: int | None = None, tokens_out: int | None = None,
    messages_count: int | None = None, prompt: Any = None, text: Any = None, key: bytes | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`model.prompt`: A model was asked. The text itself is not recorded: its hash, its length, its tokens are."""

def model_response(
    *, model_id: str, response_hash: str | None = None, response_length: int | None = None,
    provider: str | None = None, call_id: str | None = None, tokens_in: int | None = None,
    tokens_out: int | None = None, finish_reason: str | None = None, duration: float | None = None,
    response: Any = None, text: Any = None, key: bytes | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`model.response`: A model answered. The text itself is not recorded: its hash, its length, its tokens are."""

def policy_decision(
    *, policy: str, decision: str, rule: str | None = None, tool: str | None = None, action: str | None = None,
    resource: str | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`policy.decision`: A policy was asked whether something may be done."""

def approval_requested(
    *, action: str, approval_id: str | None = None, tool: str | None = None, approver: str | None = None,
    scope: str | None = None, expires_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`approval.requested`: Somebody is asked whether something may be done."""

def approval_granted(
    *, action: str, approval_id: str | None = None, tool: str | None = None, approver: str | None = None,
    scope: str | None = None, expires_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`approval.granted`: It may be done."""

def approval_denied(
    *, action: str, approval_id: str | None = None, tool: str | None = None, approver: str | None = None,
    scope: str | None = None, expires_at: str | float | datetime | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`approval.denied`: It may not be done."""

def error_raised(
    *, error: str | Mapping[str, Any], error_type: str | None = None, operation: str | None = None,
    stack: str | Sequence[Any] | None = None, retried: int | None = None, context: Mapping[str, Any] | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`error.raised`: Something failed."""

def task_created(
    *, goal: str | None = None, created_by: str | None = None, task: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.created`: A task was set."""

def task_started(
    *, goal: str | None = None, task: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.started`: Work on a task began."""

def task_completed(
    *, summary: str | None = None, steps: int | None = None, duration: float | None = None,
    task: str | int | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, session: str | int | None = None, correlation: str | int | None = None,
    parent: str | int | None = None, component: str | None = None, tool: str | int | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.completed`: A task was done."""

def task_failed(
    *, error: str | Mapping[str, Any] | None = None, duration: float | None = None, task: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.failed`: A task came to nothing."""

def task_cancelled(
    *, by: str | None = None, duration: float | None = None, task: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.cancelled`: A task was given up."""

def session_started(
    *, mode: str | None = None, version: str | None = None, session: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`session.started`: A session of an agent began."""

def session_ended(
    *, tasks: int | None = None, duration: float | None = None, session: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`session.ended`: A session of an agent ended."""

def config_changed(
    *, setting: str, old: Any = None, new: Any = None, source: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`config.changed`: A setting was changed."""

def redaction_applied(
    *, count: int, kinds: Mapping[str, Any] | None = None, profile: str | None = None, path: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`redaction.applied`: Something was taken out of an event, a file or an export."""

def action_blocked(
    *, action: str, policy: str | None = None, rule: str | None = None, tool: str | None = None,
    resource: str | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`action.blocked`: Something was about to be done, and was stopped."""

def export_completed(
    *, records: int, path: str | None = None, format: str | None = None, bytes: int | None = None,
    first_seq: int | None = None, last_seq: int | None = None, checksum: str | None = None,
    filters: Mapping[str, Any] | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`export.completed`: Records left the log in an export."""

def sync_completed(
    *, destination: str, records: int, last_seq: int | None = None, retries: int | None = None,
    complete: bool | None = None, duration: float | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`sync.completed`: Records were brought to another store."""

def custom(
    *, tags: Sequence[str] | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`custom`: Anything else: also what an event is that names no type."""

def permission_request(
    *, tool: str, action: str, reason: str, risks: Sequence[str], reversible: bool,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`permission.request`: The assistant asks whether it may use a tool."""

def permission_decision(
    *, tool: str, decision: Literal["allow", "deny", "allow_once"], reason: str | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`permission.decision`: The person decided."""

def tool_execute(
    *, tool: str, input: Any, duration: float, success: bool, error: str | Mapping[str, Any] | None = None,
    artifacts: Sequence[Any] | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    level: str | None = None, time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """`tool.execute`: A tool was run."""

def tool_result(
    *, tool: str, success: bool, duration: float, output: Any = None, artifacts: Sequence[Any] | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """`tool.result`: What a tool gave back."""

def task_start(
    *, task_id: str, input: Any, trust_level: str | float,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.start`: The assistant began a task."""

def task_complete(
    *, task_id: str, steps: int | Sequence[Any], duration: float, summary: str, success: bool,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.complete`: The assistant ended a task."""

def system_start(
    *, component: str, version: str | float, port: int, profile_id: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`system.start`: A component came up."""

def system_error(
    *, component: str, error: str | Mapping[str, Any], stack: str | Sequence[Any] | None = None,
    context: Any = None, actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`system.error`: A component failed."""

def task_run(
    *, id: str | int, goal: str, status: str, started_at: str | float | datetime | None = None,
    ended_at: str | float | datetime | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`task.run`: The state of a task's run."""

def tool_event(
    *, tool_id: str | int, action: str, input_hash: str | None = None, output_hash: str | None = None,
    input_length: int | None = None, output_length: int | None = None, input: Any = None, output: Any = None,
    key: bytes | None = None, actor: Actor | Mapping[str, Any] | str | int | None = None,
    user: str | int | None = None, profile: str | int | None = None,
    target: Target | Mapping[str, Any] | str | int | None = None, outcome: str | bool | None = None,
    reason: str | None = None, task: str | int | None = None, session: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`tool.event`: A tool was used. What went in and came out is not recorded: its hashes are."""

def model_event(
    *, provider: str, model_id: str, tokens_in: int, tokens_out: int,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`model.event`: A model was used."""

def workspace_event(
    *, session_id: str | int, kind: str, approval_id: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`workspace.event`: Something happened in a workspace."""

def chat_message(
    *, role: str, content: str | Sequence[Any] | Mapping[str, Any], message_id: str | int | None = None,
    replaces: str | int | None = None, model_id: str | None = None, session: str | int | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    correlation: str | int | None = None, parent: str | int | None = None, component: str | None = None,
    tool: str | int | None = None, level: str | None = None, time: str | float | datetime | None = None,
    details: Mapping[str, Any] | None = None, artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`chat.message`: A message of a chat."""

def config_tool(
    *, name: str, settings: Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None,
    enabled: bool | None = None, removed: bool | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`config.tool`: A tool was set up, changed or removed."""

def config_provider(
    *, name: str, settings: Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None,
    enabled: bool | None = None, removed: bool | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`config.provider`: A provider was set up, changed or removed."""

def config_model(
    *, name: str, settings: Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None,
    enabled: bool | None = None, removed: bool | None = None,
    actor: Actor | Mapping[str, Any] | str | int | None = None, user: str | int | None = None,
    profile: str | int | None = None, target: Target | Mapping[str, Any] | str | int | None = None,
    outcome: str | bool | None = None, reason: str | None = None, task: str | int | None = None,
    session: str | int | None = None, correlation: str | int | None = None, parent: str | int | None = None,
    component: str | None = None, tool: str | int | None = None, level: str | None = None,
    time: str | float | datetime | None = None, details: Mapping[str, Any] | None = None,
    artifacts: Sequence[Mapping[str, Any]] | None = None,
) -> AuditEvent:
    """`config.model`: A model was set up, changed or removed."""
