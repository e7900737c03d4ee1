"""Runs a target: guided by coverage (atheris), or over so many mutated inputs from a fixed seed.

`Choices` draws what a target needs from the bytes of an input, `Folder` is a fresh folder for each input. What the
target raises ends the run; the input that did it is kept in a file, and its number and the seed are said.
"""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import gc
import importlib
import logging
import os
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jsonl_audit
from jsonl_audit import storage

__all__ = [
    "Choices",
    "Folder",
    "any_bytes",
    "bytes_changed",
    "descriptors",
    "drawn_anew",
    "forget_peak",
    "main",
    "resident",
]

_T = TypeVar("_T")
Target = Callable[[bytes], None]
Mutator = Callable[[bytes, random.Random], bytes]
SECONDS = 60
"""Of the processor: no input may take more. An endless loop is found too."""


class Choices:
    """Choices drawn from bytes; the first of each where the bytes are used up."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def __bool__(self) -> bool:
        """Whether bytes are left."""
        return self.at < len(self.data)

    def below(self, count: int) -> int:
        """A number from 0 on, below `count`."""
        size = 1 if count <= 256 else 2 if count <= 65536 else 4
        value = int.from_bytes(self.take(size), "little")
        return value % count

    def of(self, several: Sequence[_T]) -> _T:
        """One of several."""
        return several[self.below(len(several))]

    def one_in(self, count: int) -> bool:
        """True once in so many times."""
        return self.below(count) == count - 1

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken

    def text(self, most: int = 40) -> str:
        """A text of bytes as they come; what is no UTF-8 becomes lone surrogates."""
        return self.take(self.below(most)).decode("utf-8", "surrogateescape")


class Folder:
    """A folder in memory where there is one, empty again for each input."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
        self._held = tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None)
        atexit.register(self._held.cleanup)
        self._count = 0

    def keep(self) -> None:
        """The folder that was given last stays."""
        self._count += 1

    def fresh(self) -> Path:
        """An empty folder; the one before is gone."""
        shutil.rmtree(Path(self._held.name, str(self._count)), ignore_errors=True)
        self._count += 1
        path = Path(self._held.name, str(self._count))
        path.mkdir(mode=0o700)
        return path


def without_syncs() -> None:
    """Syncs that do not wait for the disk, and silence: what is wrong comes as an error here."""
    storage.sync = storage.sync_directory = lambda _: None  # type: ignore[assignment]
    logging.getLogger("jsonl_audit").setLevel(logging.CRITICAL + 1)


def any_bytes() -> list[bytes]:
    """Seeds for a target that draws from its input: nothing in particular, of several lengths."""
    return [random.Random(size).randbytes(size) for size in (0, 3, 10, 20, 30, 40, 60, 80, 120, 200, 300, 500, 800)]


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    """A few bytes cut out, doubled, flipped, zeroed or put in."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.choice((1, 2, 16, 77, 512, 1024)))
        kind = chance.randrange(6)
        if kind == 0:
            del changed[at:end]
        elif kind == 1:
            changed[at:at] = changed[at:end]
        elif kind == 2 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 3:
            changed[at:end] = bytes(end - at)
        elif kind == 4:
            low = at - at % 512
            changed[low : low + 512] = bytes(min(512, len(changed) - low))
        else:
            changed[at:at] = chance.randbytes(chance.randrange(8))
    return bytes(changed)


def drawn_anew(data: bytes, chance: random.Random) -> bytes:
    """For a target that draws from its input: other bytes, or the same ones changed."""
    return (
        chance.randbytes(chance.choice((10, 20, 40, 80, 200, 600)))
        if chance.random() < 0.6
        else bytes_changed(data, chance)
    )


def main(target: Target, seeds: Iterable[bytes], mutate: Mutator = bytes_changed, largest: int = 1 << 16) -> None:
    """The command line of a target. Without options the arguments are libFuzzer's."""
    without_syncs()
    if sys.argv[1:2] in (["--random"], ["--file"]):
        options = argparse.ArgumentParser()
        options.add_argument("--random", type=int, default=0, metavar="COUNT", help="so many mutated inputs")
        options.add_argument("--seconds", type=float, default=0, help="or as many as there is time for")
        options.add_argument("--seed", type=int, default=0)
        options.add_argument("--file", nargs="*", default=[], type=Path, help="these inputs")
        given = options.parse_args()
        if given.file:
            for path in given.file:
                target(path.read_bytes())
            print(f"{len(given.file)} inputs, none of them breaks the invariant")
        else:
            _at_random(target, list(seeds), mutate, largest, given.random, given.seconds, given.seed)
    else:
        _guided(target, list(seeds), mutate, largest)


def _at_random(
    target: Target, seeds: list[bytes], mutate: Mutator, largest: int, count: int, seconds: float, seed: int
) -> None:
    """The seeds, and then mutants of them: the same ones each time, each made from its own number."""
    faulthandler.enable()
    under_way = Path(tempfile.gettempdir(), f"fuzz-{os.getpid()}-under-way")
    atexit.register(under_way.unlink, missing_ok=True)  # which a process that crashes comes not to
    end = time.monotonic() + seconds if seconds else None
    number = 0
    while number < len(seeds) + count or (end is not None and time.monotonic() < end):
        if number < len(seeds):
            data = seeds[number]
        else:
            chance = random.Random(seed << 40 | number)
            data = mutate(chance.choice(seeds), chance)[:largest]
        number += 1
        under_way.write_bytes(data)
        _tried(target, data, f"input {number} of --seed {seed}")
    print(f"{number} inputs, none of them breaks the invariant")


def _tried(target: Target, data: bytes, name: str) -> None:
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        target(data)
    except BaseException:
        with tempfile.NamedTemporaryFile(prefix="broken-", delete=False) as file:
            file.write(data)
        print(f"{name} breaks the invariant; it is kept in {file.name}, try it again with --file", file=sys.stderr)
        raise
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(*_: object) -> None:
    raise AssertionError(f"it takes more than {SECONDS} seconds")


def _guided(target: Target, seeds: list[bytes], mutate: Mutator, largest: int) -> None:
    """Coverage of all of the package's functions guides the mutations; half of them are the target's own."""
    import atheris

    for module in pkgutil.walk_packages(jsonl_audit.__path__, "jsonl_audit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for function in gc.get_objects():
        if isinstance(function, types.FunctionType) and str(function.__module__).startswith("jsonl_audit"):
            atheris.instrument_func(function)

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5 or not data:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, chance)[:most]

    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as folder:
        for number, seed in enumerate(seeds):
            Path(folder, str(number)).write_bytes(seed)
        arguments = [*sys.argv, folder]
        for option, value in (("-max_len", largest), ("-timeout", SECONDS)):
            if not any(argument.startswith(f"{option}=") for argument in arguments):
                arguments.append(f"{option}={value}")
        atheris.Setup(arguments, target, custom_mutator=mutator)
        atheris.Fuzz()  # ends the process


def resident(peak: bool = False) -> int:
    """Bytes of memory that this process has, or the most that it had since `forget_peak`; 0 where that is not told."""
    name = "VmHWM:" if peak else "VmRSS:"
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
    except (OSError, StopIteration):
        return 0


def forget_peak() -> None:
    """The most that this process had is what it has now."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # no Linux
        return


def descriptors() -> Any:
    """How many files this process has open; None where that is not told."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else None
