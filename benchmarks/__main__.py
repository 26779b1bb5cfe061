"""For tuning: one column kept running, one load again and again, a line of figures after each; and one stage profiled.

python -m benchmarks --load saturated --count 5000 --repeat 5
python -m benchmarks --load saturated --count 5000 --repeat 2 --profile invocation
"""

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.bare import BareLoop
from benchmarks.instant_crm import InstantCrm
from benchmarks.measure import Load, Measured, measure
from benchmarks.pipeline import CLASS_D, CLASS_P, WITHOUT_API, Column, Pipeline
from benchmarks.profiled import profile_report, profiled_environment
from benchmarks.program import interrupt, tell
from benchmarks.report import PROCESSES, shown
from benchmarks.warm import warm_broker
from cli.supervisor import on_stop_signals
from enact.broker.embedded import EmbeddedBroker
from enact.broker.java import BENCHMARK
from enact.settings import forget_environment

COLUMNS = {column.name: column for column in (CLASS_P, CLASS_D, WITHOUT_API)}
LOADS = {
    "saturated": Load(name="saturated", count=5_000),
    "slow": Load(name="slow", count=5_000, delay_ms=20.0),
    "unloaded": Load(name="unloaded", count=200, rate=20.0),
    "200": Load(name="200", count=1_000, rate=200.0),
}


def main() -> int:
    """Measure until done or interrupted; leaves nothing behind."""
    options = _options()
    load = replace(LOADS[options.load], **({"count": options.count} if options.count else {}))
    folder = Path(tempfile.mkdtemp(prefix="enact-bench-"))
    column, profiles = COLUMNS[options.column], folder / "profiles"
    if options.profile:
        column = replace(column, environ=profiled_environment(options.profile, profiles))
    forget_environment()
    try:
        with on_stop_signals(interrupt):
            _run(column, load, options, folder)
        if options.profile:
            sys.stdout.write(profile_report(profiles, lines=options.lines, order=options.order))
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(column: Column, load: Load, options: argparse.Namespace, folder: Path) -> None:
    broker = EmbeddedBroker(folder, port=0, controller_port=0, java=BENCHMARK)
    tags = (f"t{number}" for number in itertools.count(1))
    try:
        broker.start()
        broker.wait_ready()
        warm_broker(broker, least_s=options.warm_broker_s / 2, most_s=options.warm_broker_s, tell=tell)
        bare_loop = BareLoop.find(options.bare_loop)
        with (
            InstantCrm() as tool,
            Pipeline(column, broker=broker, tool=tool, folder=folder, partitions=options.partitions, tell=tell) as pipeline,
        ):
            for _ in range(options.warm):
                warm = Load(name="warm-up", count=500)
                tell(line_of(measure(pipeline, warm, tag=next(tags), driver_pid=os.getpid(), tell=lambda _: None)))
            for _ in range(options.repeat):
                tell(line_of(measure(pipeline, load, tag=next(tags), driver_pid=os.getpid(), tell=lambda _: None)))
        if options.bare and bare_loop.program is not None:
            tell(str(bare_loop.run(broker, count=load.count, rate=load.rate, delay_ms=load.delay_ms, partitions=options.partitions)))
    finally:
        broker.stop()


def line_of(measured: Measured) -> str:
    """The figures that tuning looks at: rates, latencies, CPU by process, how the stages batched."""
    cpu = " ".join(f"{name} {shown(measured.cpu_us[name])}" for name in PROCESSES if name in measured.cpu_us)
    stages = "; ".join(
        f"{stage} " + ", ".join(f"{name} {value:g}" for name, value in numbers.items()) for stage, numbers in measured.stages.items()
    )
    latency = ", ".join(f"{name} {shown(value)}" for name, value in measured.latency.items())
    rate = f"{shown(measured.executions_per_s)}/s, steady {shown(measured.steady_per_s)}/s"
    return f"{measured.load} {measured.count}: {rate}; ms: {latency}\n    CPU µs: {cpu}\n    {stages}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--column", choices=COLUMNS, default="P")
    parser.add_argument("--load", choices=LOADS, default="saturated")
    parser.add_argument("--count", type=int, help="executions per load")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--warm", type=int, default=4, help="loads of 500 before the first one that counts")
    parser.add_argument("--warm-broker-s", type=float, default=30.0, help="seconds of warming the broker, at most")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--bare", action="store_true", help="the bare loop after it, once, on the same broker")
    parser.add_argument("--bare-loop", type=Path)
    parser.add_argument("--profile", metavar="STAGE", help="profile this stage's process and show its busiest functions")
    parser.add_argument("--lines", type=int, default=30, help="functions shown for each thread")
    parser.add_argument("--order", choices=("tottime", "cumulative"), default="tottime")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
