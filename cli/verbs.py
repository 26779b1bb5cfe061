"""The verbs of `enact`, each in a module that is loaded only when its verb is given: `enact --help` stays quick."""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group

from cli.exit_codes import Exit


class Verb(NamedTuple):
    """Where a verb lives, as module:name (of a function, or of a `typer.Typer` with verbs of its own), and its line in the help."""

    where: str
    help: str

    def load(self) -> Any:
        """Import it."""
        module, _, name = self.where.partition(":")
        return getattr(import_module(module), name)


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "up": Verb("cli.up:up", "Start everything on this machine and keep it running."),
        "demo": Verb("cli.demo:demo", "See in half a minute what enact does."),
        "doctor": Verb("cli.doctor:doctor", "Look at everything enact needs and say what is wrong and what to do."),
        "bench": Verb(
            "cli.bench:bench",
            "Measure the whole pipeline on this machine: rates, latencies, CPU, memory and disk, next to the bare client loop.",
        ),
        "submit": Verb("cli.submit:submit", "Check and publish approved intents."),
        "approve": Verb("cli.approve:approve", "Sign the approval of every intent in a file."),
        "approval-key": Verb("cli.approve:approval_key", "Make a key pair that signs approvals."),
        "status": Verb("cli.status:status", "How one execution stands."),
        "timeline": Verb("cli.status:timeline", "The story of one execution: decision, approval, execution, outcome."),
        "list": Verb("cli.status:list_executions", "The executions of an account, newest first."),
        "cancel": Verb("cli.cancel:cancel", "Ask that an execution does nothing (more)."),
        "cancel-all": Verb("cli.cancel_all:cancel_all", "Ask that nothing (more) is done for a whole tenant."),
        "resolve": Verb("cli.resolve:resolve", "End a doubt: the call was applied, or it was not."),
        "redrive": Verb("cli.redrive:redrive", "Let an execution that ended without effect run again."),
        "doubt": Verb("cli.doubt:app", "What is in doubt: nobody can say whether it was done."),
        "dlq": Verb("cli.dlq:app", "Dead letters: what a stage could not take, whole, with the reason."),
        "replay": Verb("cli.replay:replay", "Let a stopped stage read again from an earlier offset; nothing is called twice."),
        "reconcile": Verb("cli.reconcile:reconcile", "Look for executions that were lost on their way; with --repair, send them again."),
        "switch": Verb("cli.switch:app", "Kill switches: stop calls within two seconds, everywhere."),
        "registry": Verb("cli.registry:app", "The registry: how each action type becomes a tool call, by version."),
        "topics": Verb("cli.topics:app", "The topics: declared in topology/, compared with the cluster, created and kept so."),
        "run": Verb("cli.run:run", "Run one stage in this terminal until Ctrl-C."),
    }
)


class VerbGroup(TyperGroup):
    """A group whose commands are those of `VERBS`; each is made when it is asked for."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.commands = _Commands()

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; Ctrl-C ends it with a word and its own exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted. What was sent before that counts: look before you repeat it.\n")
            raise typer.Exit(Exit.INTERRUPTED) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of verbs in the help, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


class _Commands(MutableMapping[str, Any]):
    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name, VERBS[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _command(name: str, verb: Verb) -> Any:
    """The command that a group with this one verb would have."""
    found, group = verb.load(), typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        group.add_typer(found, name=name)
    else:
        group.callback()(lambda: None)
        group.command(name)(found)
    return get_group(group).commands[name]
