"""Processes that walk parts of segments, so that a verification uses all cores.

They are started as programs of their own, not by `multiprocessing`: that would run the caller's script once more where
it has no ``if __name__ == "__main__"``. Where none can be started, or one dies, its work is done in this process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson

from jsonl_audit.content import Content
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.walks import Part, Walked, walk

__all__ = ["Pool"]

# The paths that this process imports from come first: nothing is ever imported from the current directory.
_START = "import sys; sys.path[:] = sys.argv[1:]; from jsonl_audit.verifier.worker import serve; serve()"


class Pool:
    """Up to `count` processes, started when they are needed."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._started: list[_Process] = []
        self._usable = _can_start()
        self._closed = False

    def walk(self, file: File, content: Content, parts: list[Part], progress: Callable[[int], None]) -> list[Walked]:
        """What walks over the parts found, in their order. Of one with damage only that it has some may be known."""

        def one(part: Part) -> Walked:
            found = self._ask(file, part)
            if found is None and not self._closed:
                return walk(content, part, progress)
            if found is None:  # nobody waits for it any more
                return Walked(part.stop, part.start, 0, 0, None, damaged=1)
            progress(part.stop - part.start)
            return found

        return list(self._threads.map(one, parts))

    def _ask(self, file: File, part: Part) -> Walked | None:
        process = self._idle.get()
        try:
            if self._closed or not self._usable:
                return None
            if process is None:
                process = _Process()
                self._started.append(process)
            return process.walk(file, part)
        except (OSError, ValueError, KeyError, TypeError):
            self._usable = False  # whatever it is, it would be the same again
            return None
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        self._closed = True
        for process in self._started:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._started:
            process.end()


class _Process:
    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _START, *(path for path in sys.path if path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def walk(self, file: File, part: Part) -> Walked | None:
        """What the process found; None if it cannot read the file. Raises OSError, ValueError if it died."""
        request = {"path": os.path.abspath(file.path), "key": file.key, "start": part.start, "stop": part.stop}
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(orjson.dumps(request | {"link": part.link and list(part.link)}) + b"\n")
        self._popen.stdin.flush()
        found = orjson.loads(self._popen.stdout.readline())
        if "gone" in found:
            return None
        if "disagrees" in found:
            return Walked(part.stop, part.start, 0, 0, None, damaged=1)
        return Walked.from_dict(found)

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._popen.kill()

    def end(self) -> None:
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _can_start() -> bool:
    """Whether `sys.executable` is a Python: in a frozen or an embedding program it is that program."""
    name = os.path.basename(sys.executable or "").lower()
    return not getattr(sys, "frozen", False) and ("python" in name or "pypy" in name)
