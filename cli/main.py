"""`enact`: every verb in one command."""

import typer

from cli import registry, switch, topics
from cli.bench import bench
from cli.cancel import cancel
from cli.demo import demo
from cli.output import EXIT_CODES_HELP
from cli.resolve import resolve
from cli.run import run
from cli.status import list_executions, status, timeline
from cli.submit import submit
from cli.up import up

app = typer.Typer(
    help="enact turns approved action intents into real-world effects: safely, visibly, and without deciding anything again.",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(up)
app.command("demo")(demo)
app.command("bench")(bench)
app.command("run")(run)
app.command("submit")(submit)
app.command("status")(status)
app.command("timeline")(timeline)
app.command("list")(list_executions)
app.command("cancel")(cancel)
app.command("resolve")(resolve)
app.add_typer(switch.app, name="switch")
app.add_typer(registry.app, name="registry")
app.add_typer(topics.app, name="topics")

if __name__ == "__main__":
    app()
