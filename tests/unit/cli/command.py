"""`enact` as it is typed, in this process."""

from typer.testing import CliRunner, Result

from cli.main import app


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)
