"""The whole table."""

from tests.hostile import called, refused, unreadable
from tests.hostile.case import Row

ROWS: tuple[Row, ...] = (*unreadable.ROWS, *refused.ROWS, *called.ROWS)
