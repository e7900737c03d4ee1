"""A day at the gateway: starts it, asks all sorts of things of it over HTTP, and says what it answered.

Run it with: python gateway_day.py FOLDER. The log is FOLDER/audit.jsonl then.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from gateway import Gateway, Settings


class Clock:
    """The time, for the gateway and its clients alike. In this story it can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead


class Client:
    """A device, as it talks to the gateway."""

    def __init__(self, port: int, clock: Clock, name: str, device: str = "", secret: str = "") -> None:
        self.port = port
        self.clock = clock
        self.name = name
        self.device = device
        self.secret = secret
        self.token = ""

    def ask(self, method: str, path: str, **members: Any) -> dict[str, Any]:
        """The JSON of an answer, with its status; says both."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request(method, path, json.dumps(members), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        content = json.loads(data) if answer.headers["content-type"] == "application/json" else {}
        print(f"{self.name:8}  {method:4} {path:36} {answer.status} {content.get('error', '')}".rstrip())
        return {"status": answer.status, **content}

    def proof(self) -> dict[str, str]:
        """That the device knows its secret, without saying it: an HMAC over a nonce and the time."""
        nonce, at = secrets.token_urlsafe(16), str(self.clock())
        proof = hmac.new(self.secret.encode(), f"{nonce}\n{at}".encode(), hashlib.sha256).hexdigest()
        return {"device": self.device, "nonce": nonce, "time": at, "proof": proof}

    def connect(self, **proof: str) -> dict[str, Any]:
        """Connects, and goes on with the token that it gets."""
        answer = self.ask("POST", "/connect", **(proof or self.proof()))
        self.token = answer.get("token", "")
        return answer

    def pair(self) -> None:
        """Introduces itself. Its secret is told now, and never again."""
        answer = self.ask("POST", "/pair", name=self.name)
        self.device, self.secret = answer["device"], answer["secret"]


def a_day(port: int, clock: Clock, owner_secret: str) -> list[Client]:
    """Everything that may happen. Who was there."""
    owner = Client(port, clock, "owner", "owner", owner_secret)
    phone, stranger, listener = (Client(port, clock, name) for name in ("phone", "stranger", "listener"))
    owner.connect()
    phone.pair()
    stranger.pair()
    owner.ask("POST", f"/devices/{phone.device}/approve", role="operator")
    owner.ask("POST", f"/devices/{stranger.device}/reject")
    stranger.connect()
    proof = phone.proof()
    phone.connect(**proof)
    listener.connect(**proof)  # which it has overheard

    for argv, verdict in ((["date", "-u"], "approve"), (["uname", "-a"], "deny"), (["rm", "-rf", "/"], "")):
        wanted = phone.ask("POST", "/exec", argv=argv)["exec"]
        if verdict:
            owner.ask("POST", f"/exec/{wanted}/{verdict}", reason="not on a Sunday")

    phone.ask("POST", "/plugins/weather/load")
    owner.ask("POST", "/plugins/weather/load")
    phone.ask("POST", "/plugins/weather/run")
    owner.ask("POST", "/plugins/weather/disable", reason="it looked for the owner's home")
    phone.ask("GET", "/files/notes.txt")
    phone.ask("GET", "/files/private/diary.txt")
    phone.ask("GET", "/files/../audit.jsonl")

    phone.secret = phone.ask("POST", f"/devices/{phone.device}/secret")["secret"]
    while phone.ask("GET", "/files/notes.txt")["status"] != 429:
        pass
    owner.ask("POST", f"/devices/{phone.device}/revoke")
    clock.ahead = 3600
    owner.ask("GET", "/files/notes.txt")
    return [owner, phone, stranger]


@contextmanager
def served(gateway: Gateway) -> Iterator[int]:
    """A port at which the gateway answers."""
    server = uvicorn.Server(uvicorn.Config(gateway, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def main(folder: Path) -> None:
    """The day, in an empty folder."""
    files, clock, secret = folder / "files", Clock(), secrets.token_urlsafe(32)
    (files / "private").mkdir(parents=True)
    (files / "notes.txt").write_text("to be read\n")
    (files / "private" / "diary.txt").write_text("not to be read\n")
    with served(Gateway(Settings(folder / "audit.jsonl", files, secret.encode(), calls=16, clock=clock))) as port:
        a_day(port, clock, secret)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
