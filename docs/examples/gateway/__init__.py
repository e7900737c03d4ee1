"""A small gateway on one machine: devices connect to it, run commands that somebody approved, and all of it is audited.

Run it with: GATEWAY_OWNER_SECRET=… uvicorn --factory gateway:create
"""

import os
from pathlib import Path

from gateway.app import Gateway, Settings

__all__ = ["Gateway", "Settings", "create"]


def create() -> Gateway:
    """The gateway as the environment says. Its owner is the device `owner`, with the secret given there."""
    home = Path(os.environ.get("GATEWAY_HOME", "~/.gateway")).expanduser()
    return Gateway(Settings(home / "audit.jsonl", home / "files", os.environ["GATEWAY_OWNER_SECRET"].encode()))
