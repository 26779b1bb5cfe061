"""`enact run STAGE`: one stage in the foreground, with the settings of the environment, as in a container."""

import os
import sys
from typing import Annotated

import typer

from cli.exit_codes import Exit
from cli.output import end, refuse
from enact.errors import ConfigurationError, EnactError
from enact.settings import BOOTSTRAP, KernelSettings, load
from topology.stages import RUNNING_STAGES, STAGE_NAMES


def run(stage: Annotated[str, typer.Argument(help=f"One of {', '.join(RUNNING_STAGES)}.", show_default=False)]) -> None:
    """Run one stage in this terminal until Ctrl-C.

    The same as `python -m services.STAGE`. It needs a Kafka cluster with the topics (`enact topics apply`); `enact up`
    starts everything at once instead.
    """
    name = stage.replace("-", "_")
    if name not in RUNNING_STAGES:
        later = f" {stage} is declared and comes with a later version." if name in STAGE_NAMES else ""
        end(Exit.USAGE, f"There is no stage {stage} to run.{later} The stages are {', '.join(RUNNING_STAGES)}.")
    try:
        if load(KernelSettings).kafka.bootstrap_servers is None:
            raise ConfigurationError(
                f"A stage by itself needs a Kafka cluster: set {BOOTSTRAP}, or start everything on this machine with `enact up`."
            )
    except EnactError as error:
        refuse(error)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", f"services.{name}"])  # noqa: S606 - signals and exit code are the stage's own
