"""Steps that tests of breakers and limits share."""

import os
from pathlib import Path

from enact.errors import UnreachableError
from tests.unit.services.invocation.world import World

AWAY = UnreachableError("Nobody there.")


def limited(world: World, folder: Path, text: str) -> Path:
    """The same world, begun again with a limits file."""
    world.limits_file = folder / "limits.yaml"
    world.limits_file.write_text(text)
    world.restart()
    return world.limits_file


def rewrite(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def break_down(world: World, count: int = 5) -> None:
    """As many calls fail as open the breaker; they may be tried again at once."""
    world.use_tool(max_attempts=9)
    world.publish(*(world.call(f"first-{n}") for n in range(count)))
    world.connector.answers.extend([AWAY] * count)
    world.turn(2)
    world.calls()


def run(world: World, seconds: float, *, step_s: float = 0.1) -> None:
    """Turns and answers, a tenth of a second each."""
    for _ in range(round(seconds / step_s)):
        world.clock.advance(step_s)
        world.turn()
        world.calls()
