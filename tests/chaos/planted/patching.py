"""Putting something else in the place of a piece of the product."""

import sys
from typing import Any


def plant(owner: Any, name: str, replacement: Any) -> None:
    """Replace an attribute that is there. Raises: AttributeError if it is not: then the bug would be none."""
    getattr(owner, name)
    setattr(owner, name, replacement)


def plant_everywhere(name: str, original: Any, replacement: Any) -> None:
    """Replace a function in every module that has imported it under this name. Raises: AttributeError if none has."""
    holders = [module for module in list(sys.modules.values()) if getattr(module, name, None) is original]
    if not holders:
        raise AttributeError(f"nobody holds {name}")
    for module in holders:
        setattr(module, name, replacement)
