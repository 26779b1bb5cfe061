"""`enact doctor`: looks at everything enact needs, and says of each thing how it stands and what to do. Changes nothing."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import NoReturn

import typer

from cli import doctor_machine as machine
from cli.context import AsJson
from cli.doctor_approval import approvals
from cli.doctor_finding import Finding, Level, fail, ok, warn
from cli.exit_codes import Exit
from cli.output import as_typed, print_json, say
from cli.platform_options import SANDBOX_PORT
from cli.processes import FIRST_HEALTH_PORT
from cli.up_file import Running, running
from enact.errors import ConfigurationError
from enact.settings import KernelSettings, cache_folder, given_variables, load
from enact.settings_table import describe
from topology.stages import RUNNING_STAGES, STAGE_NAMES

_WIDTH = 20
_INDENT = " " * (6 + _WIDTH)


@dataclass(slots=True)
class Report:
    """Findings as they come, shown at once to people, kept for programs."""

    as_json: bool
    told: list[dict[str, str]] = field(default_factory=list)

    def part(self, title: str, findings: Iterator[Finding]) -> None:
        """One part of the report."""
        if not self.as_json:
            say(f"\n{title}")
        for one in findings:
            self.told.append({"part": title, **asdict(one), "level": one.level.value})
            if not self.as_json:
                _show(one)

    def end(self) -> NoReturn:
        """Sum up. Raises: typer.Exit, with 1 if anything failed."""
        counts = Counter(one["level"] for one in self.told)
        if self.as_json:
            print_json({"findings": self.told, **{level.value: counts[level.value] for level in Level}})
        else:
            say(f"\n{counts['ok']} ok, {counts['warn']} to look at (warn), {counts['fail']} that cannot work (fail). Nothing was changed.")
        raise typer.Exit(Exit.PROBLEM if counts["fail"] else Exit.OK)


def doctor(as_json: AsJson = False) -> None:
    """Look at everything enact needs and say what is wrong and what to do.

    This machine, the cluster, the stages, the work that waits. It changes nothing and prints no secret.
    Exit 0: nothing failed; 1: something did.
    """
    report = Report(as_json=as_json)
    settings, problems = _settings()
    told = running(settings.data_dir)
    report.part("This machine", _machine(settings, told, problems))
    if not problems:
        _look_further(report, settings, told)
    report.end()


def _settings() -> tuple[KernelSettings, list[str]]:
    """The settings, or the usual ones and what is wrong with those that were given."""
    try:
        return load(KernelSettings), []
    except ConfigurationError as error:
        return load(KernelSettings, {}), error.message.splitlines()


def _machine(settings: KernelSettings, told: Running, problems: list[str]) -> Iterator[Finding]:
    *wrong, where = problems or [""]
    for line in wrong:
        yield fail("settings", line, where)
    if not problems:
        yield ok("settings", "readable (docs/settings.md lists them all)")
        yield from _switched_off(settings)
        yield from approvals(settings.profile, settings.approval)
        yield from _limits()
        yield from machine.unread_variables(given_variables(), _known_variables())
    yield machine.python(machine.machine_version())
    yield machine.packages(machine.LOCK.read_text(encoding="utf-8") if machine.LOCK.is_file() else None)
    folder = settings.data_dir
    yield machine.data_folder(folder)
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    yield machine.disk(shutil.disk_usage(nearest).free)
    has_cluster = settings.kafka.bootstrap_servers is not None
    yield from machine.ports(_ports(settings), is_running=told.pid is not None, has_cluster=has_cluster)
    if has_cluster:
        yield ok("java", "not needed: the cluster is yours")
        return
    yield machine.java(machine.packaged_java())
    yield machine.jars(settings.cache_dir or cache_folder())


def _known_variables() -> set[str]:
    """Of every process, of the verbs' options, and of the tests."""
    from cli.settings_page import STAGES

    classes: list[type[KernelSettings]] = [KernelSettings, *STAGES.values()]
    read = {row.variable for settings_class in classes for row in describe(settings_class)}
    return {*read, "ENACT_TENANT", "ENACT_ACCOUNT", "ENACT_API_URL", "ENACT_TEST_BROKER"}


def _limits() -> Iterator[Finding]:
    from cli.doctor_limits import limits
    from services.invocation.settings import InvocationSettings

    try:
        yield from limits(load(InvocationSettings).invocation.limits_file)
    except ConfigurationError as error:
        *wrong, where = error.message.splitlines()
        for line in wrong:
            yield fail("settings", line, where)


def _switched_off(settings: KernelSettings) -> Iterator[Finding]:
    if not settings.execution_enabled:
        step = "Unset it, or set it to true, and start the processes again: it is read once, at the start."
        yield warn("execution", "ENACT_EXECUTION_ENABLED is false in this shell: what is started from here makes no call", step)


def _ports(settings: KernelSettings) -> dict[int, str]:
    """What `enact up` would listen on, and how each is changed; the broker finds a free one by itself unless it is told one."""
    health = {FIRST_HEALTH_PORT + STAGE_NAMES.index(stage): "--health-port" for stage in RUNNING_STAGES}
    own = {"ENACT_BROKER__PORT": settings.broker.port, "ENACT_BROKER__CONTROLLER_PORT": settings.broker.controller_port}
    given = {port: variable for variable, port in own.items() if port}
    api = {settings.api.port: "ENACT_API__PORT"} if settings.api.port else {}
    return {**api, SANDBOX_PORT: "--sandbox-port", **health, **given}


def _look_further(report: Report, settings: KernelSettings, told: Running) -> None:
    """What needs a cluster."""
    if settings.kafka.bootstrap_servers is None and told.bootstrap_servers is None:
        step = f"`{as_typed(settings)} up --sandbox` starts one here; or set ENACT_KAFKA__BOOTSTRAP_SERVERS to yours. Then look again."
        report.part("The cluster", iter([warn("broker", "not running, so topics, stages and work were not looked at", step)]))
        return
    from cli.doctor_rounds import Rounds

    rounds = Rounds(settings, told)
    report.part("The cluster", rounds.cluster())
    report.part("The stages", rounds.stages())
    if rounds.is_answering:
        report.part("The work", rounds.work())


def _show(one: Finding) -> None:
    head = f"{one.level.value:<6}{one.name:<{_WIDTH - 1}} "
    say(f"{head}{one.text}".replace("\n", f"\n{_INDENT}"))
    if one.next_step:
        say(f"{_INDENT}→ {one.next_step}".replace("\n", f"\n{_INDENT}  "))
