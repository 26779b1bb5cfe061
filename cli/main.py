"""`enact`: every verb in one command."""

import logging

import typer

from cli.exit_codes import EXIT_CODES_HELP
from cli.verbs import VerbGroup

app = typer.Typer(
    cls=VerbGroup,
    help="enact turns approved action intents into real-world effects: safely, visibly, and without deciding anything again.",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _start() -> None:
    """Before every verb."""
    # The Kafka client writes hundreds of lines when a broker is down; a verb says it once, in a sentence with what to do.
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


if __name__ == "__main__":
    app()
