"""Has a file changed since it was read: one `stat`, no reading."""

import os

Revision = tuple[int, int, int]
"""Time of the last change in ns, size in bytes, inode. Two writes of one size within a tick of the file system's clock look alike."""


def revision_of(stat: os.stat_result) -> Revision:
    """Another one for another version of the file."""
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
