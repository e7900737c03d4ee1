"""Runs a target: coverage-guided by atheris, or with so many mutated inputs from a fixed seed."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

__all__ = ["main", "mutations"]


def mutations(seeds: list[bytes], count: int, seed: int = 0) -> list[bytes]:
    """`count` inputs made from `seeds` by cutting, doubling, flipping and zeroing; the same ones each time."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data) + 1)
            end = min(len(data), at + chance.choice((1, 2, 16, 77, 512, 1024)))
            kind = chance.randrange(6)
            if kind == 0:
                del data[at:end]
            elif kind == 1:
                data[at:at] = data[at:end]
            elif kind == 2 and at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 3:
                data[at:end] = bytes(end - at)
            elif kind == 4:
                low = at - at % 512
                data[low : low + 512] = bytes(min(512, len(data) - low))
            else:
                data[at:at] = chance.randbytes(chance.randrange(8))
        made.append(bytes(data))
    return made


def main(target: Callable[[bytes], None], seeds: list[bytes]) -> None:
    """The command line of a target."""
    if sys.argv[1:2] == ["--random"]:
        count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
        for data in seeds + mutations(seeds, count):
            target(data)
        print(f"{count + len(seeds)} inputs, none of them breaks the invariant")
        return
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
