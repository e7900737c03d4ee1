"""The example gateway over real HTTP: each of its 21 events arises where it should, and no secret is in any file."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import importlib.util
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from jsonl_audit import StorageError, events, query, verify

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
TYPES = {
    "auth.connect.success": ("success", "info"),
    "auth.connect.failure": ("failure", "warn"),
    "auth.nonce.replayed": ("denied", "error"),
    "auth.token.expired": ("denied", "warn"),
    "device.approved": ("success", "info"),
    "device.rejected": ("denied", "warn"),
    "device.revoked": ("success", "warn"),
    "rbac.denied": ("denied", "warn"),
    "rpc.rate_limited": ("denied", "warn"),
    "exec.requested": ("unknown", "info"),
    "exec.approved": ("success", "info"),
    "exec.denied": ("denied", "warn"),
    "exec.completed": ("success", "info"),
    "plugin.loaded": ("success", "info"),
    "plugin.disabled": ("success", "warn"),
    "plugin.permission_denied": ("denied", "warn"),
    "file.access_denied": ("denied", "warn"),
    "file.traversal_blocked": ("denied", "error"),
    "session.created": ("success", "info"),
    "session.killed": ("success", "warn"),
    "secret.rotated": ("success", "info"),
}
"""Each type of the gateway's, with its outcome and its level."""


class Client:
    """Somebody with a device. What a client knows of secrets is kept, to be looked for in the log."""

    def __init__(self, served: Served, device: str = "", secret: str = "", token: str = "") -> None:
        self.served = served
        self.device = device
        self.secret = secret
        self.token = token
        self.session = ""

    def ask(self, call: str, body: object = None, **members: Any) -> dict[str, Any]:
        """The answer to `METHOD /path`, with its status."""
        method, path = call.split(" ", 1)
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=30)
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) else json.dumps(body or members)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kind = answer.headers["content-type"]
        return {
            "status": answer.status, "retry-after": answer.headers["retry-after"],
            **(json.loads(content) if kind == "application/json" else {"content": content}),
        }  # fmt: skip

    def proof(self, **other: str) -> dict[str, str]:
        """What a device sends to connect."""
        nonce, at = secrets.token_urlsafe(16), str(self.served.now)
        self.served.secrets.add(nonce)
        said = {"device": self.device, "nonce": nonce, "time": at, **other}
        text = f"{said['nonce']}\n{said['time']}".encode()
        said.setdefault("proof", hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest())
        self.served.secrets.add(said["proof"])
        return said

    def connect(self, **other: str) -> dict[str, Any]:
        """Connects, and goes on with the token."""
        answer = self.ask("POST /connect", **self.proof(**other))
        if answer["status"] == 201:
            self.token, self.session = answer["token"], answer["session"]
            self.served.secrets.add(self.token)
        return answer


class Served:
    """A gateway behind a real port."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        import uvicorn
        from gateway import Gateway, Settings

        self.now = time.time()
        self.secrets = {"the-owner's-own-" + secrets.token_hex(8)}
        self.log = folder / "log" / "audit.jsonl"
        self.files = folder / "files"
        [owner_secret] = self.secrets
        settings = {"clock": lambda: self.now, "calls": 1000, **settings}
        self.gateway = Gateway(Settings(self.log, self.files, owner_secret.encode(), **settings))
        self.server = uvicorn.Server(uvicorn.Config(self.gateway, log_config=None, lifespan="on"))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],))
        self._thread.start()
        self.owner = Client(self, "owner", owner_secret)
        self.seen = 0

    def stop(self) -> None:
        """Ends the server, and with it the log: it is whole, and nothing secret is in any file beside it."""
        self.server.should_exit = True
        self._thread.join(30)
        self._socket.close()
        assert not self._thread.is_alive()
        report = verify(self.log, full=True)
        assert (report.verdict, report.findings) == ("intact", ())
        files = [path for path in self.log.parent.rglob("*") if path.is_file()]
        assert self.log in files
        for path in files:
            data = path.read_bytes()
            assert [secret for secret in self.secrets if secret.encode() in data] == []

    def device(self, name: str, role: str = "") -> Client:
        """A device that was paired, and with a role, approved and connected."""
        answer = Client(self).ask("POST /pair", name=name)
        assert answer["status"] == 202
        client = Client(self, answer["device"], answer["secret"])
        self.secrets.add(client.secret)
        if role:
            assert self.owner.ask(f"POST /devices/{client.device}/approve", role=role)["status"] == 200
            assert client.connect()["status"] == 201
        return client

    def told(self) -> list[dict[str, Any]]:
        """The records since the last time."""
        records = [*query(self.log, after=self.seen)]
        self.seen = records[-1]["seq"] if records else self.seen
        return records

    def one(self, type: str) -> dict[str, Any]:  # noqa: A002 - as an event names it
        """The only record since the last time, which is of that type."""
        [record] = self.told()
        assert record["type"] == type
        return record


@pytest.fixture(scope="module")
def examples(loopback: None) -> Iterator[None]:
    """The examples can be imported."""
    if importlib.util.find_spec("uvicorn") is None:
        pytest.skip("uvicorn is not installed: it is of the extra `test`")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("gateway", "gateway_day")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def everybodys(examples: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One gateway for most of the tests: starting and ending one takes a quarter of a second."""
    served = Served(tmp_path_factory.mktemp("gateway"))
    yield served
    served.stop()


@pytest.fixture
def served(everybodys: Served, quick_disk: None) -> Served:
    """A gateway whose owner has just connected. Other devices may have been there before."""
    assert everybodys.owner.connect()["status"] == 201
    everybodys.told()
    return everybodys


@pytest.fixture
def serve(examples: None, tmp_path: Path, quick_disk: None) -> Iterator[Callable[..., Served]]:
    """Starts a gateway of one's own, with other settings."""
    running: list[Served] = []

    def start(**settings: Any) -> Served:
        running.append(Served(tmp_path, **settings))
        return running[-1]

    yield start
    for served in running:
        served.stop()


# -- who may come in ------------------------------------------------------------------------------


def test_a_device_that_knows_its_secret_is_connected(served: Served) -> None:
    assert served.owner.connect()["status"] == 201
    connected, created = served.told()
    assert connected["type"] == "auth.connect.success"
    assert created["type"] == "session.created"
    assert created["parent"] == connected["id"]
    assert created["target"] == {"type": "session", "id": served.owner.session}
    for record in (connected, created):
        assert record["outcome"] == "success"
        assert record["session"] == served.owner.session
        assert record["task"] == "connect"
        assert record["actor"] == {
            "type": "device", "name": "owner", "role": "owner", "deviceId": "owner",
            "connectionId": record["actor"]["connectionId"], "ip": "127.0.0.1",
        }  # fmt: skip
    assert connected["correlation"] == created["correlation"]


def test_who_cannot_prove_it_stays_outside(served: Served) -> None:
    served.told()
    for name, value, reason in (
        ("proof", "5f" * 32, "unknown device or wrong proof"),
        ("device", "d-000000000000", "unknown device or wrong proof"),
        ("time", "1000000000", "the proof is of another time"),
        ("time", "nan", "the proof is of another time"),
    ):
        assert served.owner.connect(**{name: value})["status"] == 401
        record = served.one("auth.connect.failure")
        assert (record["outcome"], record["reason"], record["level"]) == ("failure", reason, "warn")
        assert record["actor"] == {"ip": "127.0.0.1"}
        assert ("target" in record) is (name != "device")


def test_a_device_that_nobody_approved_stays_outside(served: Served) -> None:
    phone = served.device("phone")
    served.told()
    assert phone.connect()["status"] == 403
    assert served.one("auth.connect.failure")["reason"] == "the device is pending"
    assert served.owner.ask(f"POST /devices/{phone.device}/reject")["status"] == 200
    record = served.one("device.rejected")
    assert (record["outcome"], record["target"]["id"]) == ("denied", phone.device)
    assert record["actor"]["deviceId"] == "owner"
    assert phone.connect()["status"] == 403
    assert served.one("auth.connect.failure")["reason"] == "the device is rejected"


def test_a_proof_that_somebody_overheard_is_no_use_to_him(served: Served) -> None:
    proof = served.owner.proof()
    assert served.owner.ask("POST /connect", proof)["status"] == 201
    served.told()
    served.now += 59
    assert served.owner.ask("POST /connect", proof)["status"] == 401
    record = served.one("auth.nonce.replayed")
    assert (record["outcome"], record["target"]["id"]) == ("denied", "owner")
    served.now += 3600
    assert served.owner.ask("POST /connect", proof)["status"] == 401
    assert served.one("auth.connect.failure")["reason"] == "the proof is of another time"


def test_a_token_ends_with_its_time(served: Served) -> None:
    served.told()
    served.now += 899
    assert served.owner.ask("GET /files/none")["status"] == 404
    served.now += 1
    assert served.owner.ask("GET /files/none")["status"] == 401
    record = served.one("auth.token.expired")
    assert (record["outcome"], record["actor"]["deviceId"]) == ("denied", "owner")
    assert record["session"] == served.owner.session


def test_without_a_token_there_is_nothing(served: Served) -> None:
    served.told()
    for token in ("", "made-up-token-of-nobody"):
        assert Client(served, token=token).ask("GET /files/none")["status"] == 401
        assert served.one("auth.connect.failure")["reason"] == "no token, or an unknown one"
    served.secrets.add("made-up-token-of-nobody")


def test_the_owner_approves_a_device_and_revokes_it_and_then_its_sessions_are_over(served: Served) -> None:
    phone = served.device("phone", "viewer")
    [approved] = [record for record in served.told() if record["type"] == "device.approved"]
    assert (approved["target"], approved["details"]["role"]) == (
        {"type": "device", "id": phone.device, "name": "phone"}, "viewer",
    )  # fmt: skip
    assert approved["actor"]["deviceId"] == "owner"
    assert served.owner.ask(f"POST /devices/{phone.device}/approve", role="owner")["status"] == 409
    assert served.owner.ask(f"POST /devices/{phone.device}/revoke")["sessions_ended"] == 1
    revoked, killed = served.told()
    assert (revoked["type"], killed["type"]) == ("device.revoked", "session.killed")
    assert (killed["parent"], killed["target"]["id"]) == (revoked["id"], phone.session)
    assert killed["actor"] == revoked["actor"] == approved["actor"]
    assert phone.ask("GET /files/none")["status"] == 401
    assert phone.connect()["status"] == 403


def test_a_device_that_is_revoked_while_its_approval_is_recorded_stays_outside(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    tablet = served.device("tablet")
    record = served.gateway.record

    async def revoking(event: Any) -> str:
        served.gateway.access.devices[tablet.device].state = "revoked"
        return await record(event)

    monkeypatch.setattr(served.gateway, "record", revoking)
    assert served.owner.ask(f"POST /devices/{tablet.device}/approve", role="viewer")["status"] == 409
    monkeypatch.undo()
    assert tablet.connect()["status"] == 403


def test_a_role_has_its_rights_and_no_others(served: Served) -> None:
    phone = served.device("phone", "viewer")
    served.told()
    for call in ("POST /exec", f"POST /devices/{phone.device}/approve", "POST /plugins/clock/load"):
        assert phone.ask(call)["status"] == 403
        record = served.one("rbac.denied")
        assert (record["outcome"], record["actor"]["role"]) == ("denied", "viewer")
        assert record["details"]["permission"] in ("exec.request", "devices", "plugins")


def test_who_asks_too_often_waits_and_the_log_is_not_flooded(serve: Callable[..., Served]) -> None:
    served = serve(calls=5)
    served.owner.connect()
    served.told()
    answers = [served.owner.ask("GET /files/none") for _ in range(9)]
    assert [answer["status"] for answer in answers] == [404] * 5 + [429] * 4
    assert answers[5]["retry-after"] == "60"
    record = served.one("rpc.rate_limited")
    assert (record["outcome"], record["actor"]["deviceId"]) == ("denied", "owner")
    assert record["details"] == {"method": "serve_file", "limit": 5, "window": 60, "retry_after": 60}
    served.now += 30
    stranger = Client(served, token="made-up-token-of-nobody")
    assert [stranger.ask("GET /files/none")["status"] for _ in range(5)] == [401, 401, 401, 401, 429]  # one was connect
    assert [record["type"] for record in served.told()] == ["auth.connect.failure"] * 4 + ["rpc.rate_limited"]
    served.now += 31
    assert served.owner.ask("GET /files/none")["status"] == 404


def test_sessions_are_killed_by_those_who_own_them_or_may(served: Served) -> None:
    phone, tablet = served.device("phone", "viewer"), served.device("tablet", "viewer")
    served.told()
    assert phone.ask(f"DELETE /sessions/{tablet.session}")["status"] == 403
    assert served.one("rbac.denied")["details"]["permission"] == "sessions"
    for client, session in ((phone, phone.session), (served.owner, tablet.session)):
        assert client.ask(f"DELETE /sessions/{session}")["status"] == 200
        record = served.one("session.killed")
        assert (record["target"]["id"], record["actor"]["deviceId"]) == (session, client.device)
    assert served.owner.ask(f"DELETE /sessions/{tablet.session}")["status"] == 404
    assert served.told() == []


def test_a_new_secret_is_told_to_the_device_and_to_nobody_else(served: Served) -> None:
    phone, tablet = served.device("phone", "viewer"), served.device("tablet", "viewer")
    served.told()
    assert tablet.ask(f"POST /devices/{phone.device}/secret")["status"] == 403
    served.one("rbac.denied")
    answer = phone.ask(f"POST /devices/{phone.device}/secret")
    served.secrets.add(answer["secret"])
    record = served.one("secret.rotated")
    assert (record["outcome"], record["target"]["id"]) == ("success", phone.device)
    assert phone.connect()["status"] == 401
    phone.secret = answer["secret"]
    assert phone.connect()["status"] == 201


# -- what may be done -----------------------------------------------------------------------------


def test_a_command_runs_once_somebody_else_approves_it(served: Served) -> None:
    phone = served.device("phone", "operator")
    served.told()
    asked = phone.ask("POST /exec", argv=["echo", "to be $HOME; or not"])
    assert asked["status"] == 202
    requested = served.one("exec.requested")
    assert requested["details"]["command"] == "echo 'to be $HOME; or not'"
    assert phone.ask(f"GET /exec/{asked['exec']}")["state"] == "requested"
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["exit_code"] == 0
    approved, completed = served.told()
    assert (approved["type"], completed["type"]) == ("exec.approved", "exec.completed")
    assert (approved["parent"], completed["parent"]) == (requested["id"], approved["id"])
    assert len({record["correlation"] for record in (requested, approved, completed)}) == 1
    assert len({record["target"]["id"] for record in (requested, approved, completed)}) == 1
    assert approved["actor"]["deviceId"] == "owner"
    assert completed["actor"] == requested["actor"]
    assert completed["session"] == requested["session"] == phone.session
    assert (completed["outcome"], completed["details"]["exit_code"]) == ("success", 0)
    output = b"to be $HOME; or not\n"  # no shell has seen it
    assert completed["details"]["output_hash"] == events.hash_of(output)
    assert phone.ask(f"GET /exec/{asked['exec']}")["output"] == output.decode()
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 404


def test_a_command_is_not_run_if_a_person_says_no(served: Served) -> None:
    phone = served.device("phone", "operator")
    asked = phone.ask("POST /exec", argv=["uname", "-a"])
    *_, requested = served.told()
    assert served.owner.ask(f"POST /exec/{asked['exec']}/deny", reason="not now")["status"] == 200
    denied = served.one("exec.denied")
    assert (denied["outcome"], denied["reason"], denied["parent"]) == ("denied", "not now", requested["id"])
    assert denied["actor"]["deviceId"] == "owner"
    assert denied["correlation"] == requested["correlation"]
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 404


def test_a_command_that_no_rule_allows_is_denied_at_once(served: Served) -> None:
    served.told()
    for argv in (["rm", "-rf", "/"], ["echo", "-e", "x"], ["/bin/uname"], ["uname", "-a", *["-s"] * 9]):
        assert served.owner.ask("POST /exec", argv=argv)["status"] == 403
        requested, denied = served.told()
        assert (requested["type"], denied["type"]) == ("exec.requested", "exec.denied")
        assert (denied["parent"], denied["details"]["by"]) == (requested["id"], "policy")


def test_nobody_approves_his_own_command(served: Served) -> None:
    asked = served.owner.ask("POST /exec", argv=["date"])
    served.told()
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 403
    assert served.one("rbac.denied")["details"]["permission"] == "exec.decide"


def test_a_command_that_takes_too_long_is_ended(serve: Callable[..., Served]) -> None:
    served = serve(command_seconds=0.05)
    served.owner.connect()
    phone = served.device("phone", "operator")
    asked = phone.ask("POST /exec", argv=["sleep", "60"])
    began = time.monotonic()
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 200
    assert time.monotonic() - began < 30
    completed = served.told()[-1]
    assert (completed["type"], completed["outcome"], completed["level"]) == ("exec.completed", "error", "error")
    assert completed["reason"] == "it took longer than 0.05 s"


def test_two_who_approve_at_the_same_time_run_a_command_once(served: Served) -> None:
    phone = served.device("phone", "operator")
    asked = phone.ask("POST /exec", argv=["sleep", "0"])
    served.told()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(served.owner.ask, f"POST /exec/{asked['exec']}/approve") for _ in range(8)]
        statuses = sorted(call.result()["status"] for call in calls)
    assert statuses == [200] + [404] * 7
    assert [record["type"] for record in served.told()] == ["exec.approved", "exec.completed"]


def test_a_plugin_gets_what_it_was_granted(served: Served) -> None:
    served.told()
    assert served.owner.ask("POST /plugins/clock/run")["status"] == 409
    assert served.owner.ask("POST /plugins/clock/load")["status"] == 200
    record = served.one("plugin.loaded")
    assert (record["outcome"], record["target"]) == ("success", {"type": "plugin", "id": "clock"})
    assert record["details"]["permissions"] == ["clock"]
    assert served.owner.ask("POST /plugins/clock/run")["result"] > 1.7e9
    assert served.owner.ask("POST /plugins/clock/disable", reason="not needed")["status"] == 200
    record = served.one("plugin.disabled")
    assert (record["reason"], record["details"]["plugin"]) == ("not needed", "clock")
    assert served.owner.ask("POST /plugins/clock/run")["status"] == 409
    assert served.owner.ask("POST /plugins/none/load")["status"] == 404


def test_a_plugin_that_wants_more_is_refused(served: Served) -> None:
    served.owner.ask("POST /plugins/weather/load")
    served.told()
    assert served.owner.ask("POST /plugins/weather/run")["status"] == 403
    record = served.one("plugin.permission_denied")
    assert (record["outcome"], record["actor"]["deviceId"]) == ("denied", "owner")
    assert record["details"] == {"plugin": "weather", "permission": "environment"}


def test_no_path_leads_out_of_the_folder(served: Served) -> None:
    (served.files / "way-out").symlink_to(served.log.parent)
    served.told()
    for path in ("../log/audit.jsonl", "%2e%2e/x", "a/../../x", "..%5c..%5cx", "/etc/passwd", "way-out/x", "a%00b"):
        assert served.owner.ask(f"GET /files/{path}")["status"] == 403
        record = served.one("file.traversal_blocked")
        assert (record["outcome"], record["actor"]["deviceId"]) == ("denied", "owner")
        assert record["target"] == {"type": "file", "id": unquote(path)}


def test_what_is_private_is_served_to_its_owner_alone(served: Served) -> None:
    (served.files / "private").mkdir()
    (served.files / "private" / "diary").write_bytes(b"dear diary")
    (served.files / "open").write_bytes(b"\x00 for all")
    (served.files / ".hidden").write_bytes(b"")
    phone = served.device("phone", "viewer")
    served.told()
    assert phone.ask("GET /files/open") == {"status": 200, "retry-after": None, "content": b"\x00 for all"}
    assert served.owner.ask("GET /files/private/diary")["content"] == b"dear diary"
    assert served.told() == []
    for client, name in ((phone, "private/diary"), (served.owner, ".hidden")):
        assert client.ask(f"GET /files/{name}")["status"] == 403
        record = served.one("file.access_denied")
        assert (record["outcome"], record["target"]["id"]) == ("denied", name)
        assert record["actor"]["deviceId"] == client.device


# -- the whole of it ------------------------------------------------------------------------------


def test_what_means_nothing_here_is_answered_and_not_recorded(served: Served) -> None:
    served.told()
    ask = served.owner.ask
    assert ask("GET /nothing")["status"] == 404
    assert ask("GET /connect")["status"] == 405
    assert ask("POST /pair", b"no json")["status"] == 400
    assert ask("POST /pair", [1])["status"] == 400
    assert ask("POST /exec", argv="date")["status"] == 400
    assert ask("POST /exec", argv=["echo", "a\0b"])["status"] == 400
    assert ask("POST /exec", argv=["echo", "\ud83d"])["status"] == 400
    assert ask("POST /connect", device="owner", nonce="\ud83d", time="1", proof="x")["status"] == 400
    assert ask("POST /pair", b"[" * 60_000)["status"] == 400
    assert ask("POST /pair", b"x" * 100_000)["status"] == 413
    assert ask("POST /devices/none/approve", role="viewer")["status"] == 404
    assert served.told() == []


def test_what_cannot_be_recorded_is_not_done(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = served.device("phone")
    tablet = served.device("tablet", "operator")
    asked = tablet.ask("POST /exec", argv=["date"])

    def full(*_: Any, **__: Any) -> None:
        raise StorageError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("jsonl_audit.log.AuditLog._commit", full)
        assert served.owner.ask(f"POST /devices/{phone.device}/approve", role="viewer")["status"] == 503
        assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 503
        assert served.owner.ask("POST /plugins/clock/load")["status"] == 503
        assert served.owner.connect()["status"] == 503
    assert phone.connect()["status"] == 403
    assert served.owner.ask("POST /plugins/clock/run")["status"] == 409
    assert tablet.ask(f"GET /exec/{asked['exec']}")["state"] == "requested"
    assert served.owner.ask(f"POST /exec/{asked['exec']}/approve")["status"] == 200


def test_a_secret_that_somebody_types_in_the_wrong_place_is_taken_out(served: Served) -> None:
    key, password = "AK" + "IAQ3EGRIJ7WZ5SVC2T", "correct-" + "horse-staple"
    served.secrets |= {key, password}
    phone = served.device(f"phone {key}", "operator")
    asked = phone.ask("POST /exec", argv=["echo", f"password={password}"])
    served.owner.ask(f"POST /exec/{asked['exec']}/deny", reason=f"do not type {key}")
    phone.ask(f"GET /files/../{key}")
    phone.ask("POST /exec", argv=["curl", "-H", f"Authorization: Bearer {phone.token}"])
    *_, requested, denied, blocked, curl, _ = served.told()
    assert requested["details"]["command"] == "echo password=<redacted:password>"
    assert denied["reason"] == "do not type <redacted:aws-access-key-id>"
    assert blocked["target"]["id"] == "../<redacted:aws-access-key-id>"
    assert "<redacted:" in curl["details"]["command"]
    assert all(record["redacted"] for record in (requested, denied, blocked, curl))


def test_a_day_at_the_gateway_has_all_of_the_events_and_no_others(serve: Callable[..., Served]) -> None:
    import gateway_day

    clock = gateway_day.Clock()
    served = serve(calls=16, clock=clock)
    clients = gateway_day.a_day(served.port, clock, served.owner.secret)
    served.secrets |= {secret for client in clients for secret in (client.secret, client.token) if secret}
    told = {record["type"]: (record["outcome"], record["level"]) for record in served.told()}
    assert told == TYPES
    assert len(TYPES) == 21
    for record in query(served.log):
        assert record["actor"]["ip"] == "127.0.0.1"
        assert record["task"]
        assert re.fullmatch("[0-9a-f-]{36}", record["correlation"])
        assert record["schema"]
