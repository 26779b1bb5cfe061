"""A stage as production starts it, with patches: `python -m tests.chaos.planted.spawn PATCH,PATCH services.invocation`."""

import runpy
import sys

from tests.chaos.planted import bugs, conditions


def main(arguments: list[str]) -> None:
    """Patch, then become the stage. `arguments`: names of bugs and conditions joined by commas, the stage's module."""
    names, module = arguments
    for name in filter(None, names.split(",")):
        (bugs.BUGS.get(name) or conditions.CONDITIONS[name])()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
