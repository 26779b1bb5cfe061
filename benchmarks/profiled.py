"""One stage under the profiler: every Python thread of its process, own time and calls, while the pipeline is under load.

The process is started with a `sitecustomize` of ours on its path, so the stage itself knows nothing of it. The profiler makes
Python code about twice as slow and C code no slower: read it for where the time goes, never for how much there is.
"""

import pstats
from io import StringIO
from pathlib import Path
from typing import Final, cast

FEW_CALLS: Final = 5_000
"""Threads with fewer only wait."""

HOOK: Final = """
import atexit, cProfile, os, sys, threading

if "services." + os.environ["BENCH_PROFILED_STAGE"] in sys.orig_argv:
    _profiles, _run = {}, threading.Thread.run

    def _start(name):
        number = sum(known.startswith(name) for known in _profiles)
        profile = _profiles[f"{name}.{number}" if number else name] = cProfile.Profile()
        profile.enable()
        return profile

    def _profiled_run(thread):
        profile = _start(thread.name)
        try:
            _run(thread)
        finally:
            profile.disable()

    def _dump():
        _main.disable()
        for name, profile in _profiles.items():
            try:
                profile.dump_stats(os.path.join(os.environ["BENCH_PROFILE_DIR"], name.replace("/", "_") + ".prof"))
            except Exception:
                pass  # a daemon thread that still runs

    threading.Thread.run = _profiled_run
    _main = _start("main")
    atexit.register(_dump)
"""


def profiled_environment(stage: str, folder: Path) -> dict[str, str]:
    """What the pipeline's processes are told so that `stage` writes `<folder>/<thread>.prof` when it ends in good order."""
    hook = folder / "hook"
    hook.mkdir(parents=True, exist_ok=True)
    (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    return {"PYTHONPATH": str(hook), "BENCH_PROFILED_STAGE": stage, "BENCH_PROFILE_DIR": str(folder)}


def profile_report(folder: Path, *, lines: int, order: str = "tottime") -> str:
    """The busiest functions of every thread that did something, by own time (`tottime`) or with what they call (`cumulative`)."""
    parts: list[str] = []
    for path in sorted(folder.glob("*.prof")):
        out = StringIO()
        stats = pstats.Stats(str(path), stream=out)
        if cast("int", vars(stats)["total_calls"]) < FEW_CALLS:
            continue
        stats.strip_dirs().sort_stats(order).print_stats(lines)
        parts.append(f"thread {path.stem}\n{out.getvalue()}")
    return "\n".join(parts) or f"no profile in {folder}: the stage did not end in good order"
