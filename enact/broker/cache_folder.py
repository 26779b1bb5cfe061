"""Where jars and start cache are kept: per user, outside every project tree, one folder for all of them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "ENACT_CACHE_DIR"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`$ENACT_CACHE_DIR`, else the platform's place for things that can be fetched again. Not created here."""
    chosen = environ.get(VARIABLE, "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "enact"
    root = environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if root else Path.home() / ".cache") / "enact"
