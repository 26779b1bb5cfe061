"""Putting something else in the place of a piece of the product."""

from typing import Any


def plant(owner: Any, name: str, replacement: Any) -> None:
    """Replace an attribute that is there. Raises: AttributeError if it is not: then the bug would be none."""
    getattr(owner, name)
    setattr(owner, name, replacement)
