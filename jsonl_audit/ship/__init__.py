"""Shipping: logs copied to another place while they are written, so that what arrived is known to be right.

`ship` is the whole of it; the module can be called by that name, since the package hands out either under it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from jsonl_audit.ship.outcome import Problem, Shipped
from jsonl_audit.ship.shipping import ship

__all__ = ["Problem", "Shipped", "ship"]


class _Module(ModuleType):
    """This module, which can be called as its function."""

    def __call__(self, *arguments: Any, **options: Any) -> list[Shipped]:
        return ship(*arguments, **options)


sys.modules[__name__].__class__ = _Module
