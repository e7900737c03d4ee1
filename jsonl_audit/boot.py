"""Which run of the operating system this is: what an earlier one left unsynced may be gone."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["boot_id"]


def boot_id() -> str:
    """What tells this run of the operating system from every other; empty where that is not known."""
    global _boot
    if _boot is None:
        _boot = ""
        with contextlib.suppress(OSError, AttributeError, ValueError):
            if sys.platform == "linux":
                with open("/proc/sys/kernel/random/boot_id", "rb") as file:
                    _boot = file.read().decode("ascii").strip()
            elif sys.platform == "darwin":
                _boot = _sysctl(b"kern.bootsessionuuid")
    return _boot


_boot: str | None = None


def _sysctl(name: bytes) -> str:
    import ctypes

    libc = ctypes.CDLL(None)
    text = ctypes.create_string_buffer(64)
    length = ctypes.c_size_t(64)
    libc.sysctlbyname(name, text, ctypes.byref(length), None, 0)
    return text.value.decode("ascii")
