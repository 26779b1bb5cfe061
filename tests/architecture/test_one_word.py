"""A stage has one name, everywhere: folder, group, dead letters, test folder, container, manifest, and what it calls itself."""

import ast
from collections.abc import Iterable, Mapping

import pytest
import yaml

from tests.architecture.tree import PRODUCT, ROOT, Module, modules, sample, spell
from topology.deployment import compose, kubernetes, scrape
from topology.stages import RUNNING_STAGES, STAGE_NAMES, STAGES, dead_letters, group_name, hyphenated
from topology.topics import TOPICS

HYPHENATOR = "topology/stages.py"
REQUIRED = {"__init__.py", "__main__.py"}


def stage_of(module: Module) -> str | None:
    return module.path.parts[1] if module.path.parts[0] == "services" and len(module.path.parts) > 2 else None


def unknown_stages(given: Iterable[Module]) -> list[str]:
    folders = {stage for module in given if (stage := stage_of(module)) is not None}
    return sorted(f"services/{folder} is no stage of topology/stages.py" for folder in folders - set(STAGE_NAMES))


def incomplete_stages(given: Iterable[Module]) -> list[str]:
    """Each stage folder says what it is, and starts by `python -m services.<stage>`."""
    names: dict[str, set[str]] = {}
    for module in given:
        stage = stage_of(module)
        if stage is not None:
            names.setdefault(stage, set()).add(module.path.name)
    return [f"services/{stage} lacks {missing}" for stage, present in sorted(names.items()) for missing in sorted(REQUIRED - present)]


def other_names(given: Iterable[Module]) -> list[str]:
    """Classes in a stage's `stage.py` whose `name` is not the folder's."""
    found = []
    for module in given:
        if stage_of(module) is None or module.path.name != "stage.py":
            continue
        for node in ast.walk(module.tree):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            is_name = any(ast.unparse(target) in {"name", "self.name"} for target in targets)
            value = getattr(node, "value", None)
            if is_name and isinstance(value, ast.Constant) and value.value != stage_of(module):
                found.append(f"{module.path} calls itself {value.value!r}")
    return found


def started_names(given: Iterable[Module]) -> list[str]:
    """Calls of `run_stage` under another name than the folder's."""
    return [
        f"{module.path} starts as {ast.unparse(node.args[0])}"
        for module in given
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("run_stage")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value != stage_of(module)
    ]


def undeclared_topics(given: Iterable[Module]) -> list[str]:
    """Topics that a stage's wiring names and that its declaration does not have."""
    return [
        f"{module.path} names {node.value!r}, which {stage} neither reads nor writes in topology/stages.py"
        for module in given
        if module.path.name == "__main__.py" and (stage := stage_of(module)) in STAGES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and node.value in TOPICS
        and node.value not in {*STAGES[stage or ""].all_reads, *STAGES[stage or ""].all_writes}
    ]


def second_hyphenators(given: Iterable[Module]) -> list[str]:
    """`replace("_", "-")` anywhere but in the one function."""
    return [
        f"{module.path}:{node.lineno} hyphenates by itself"
        for module in given
        if str(module.path) != HYPHENATOR
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and [getattr(argument, "value", None) for argument in node.args[:2]] == ["_", "-"]
    ]


def places() -> dict[str, set[str]]:
    """Where a running stage has to be, and the names that are there; what is no stage is left out where others live too."""
    services = yaml.safe_load((ROOT / compose.PATH).read_text(encoding="utf-8"))["services"]
    base = ROOT / kubernetes.BASE
    (job,) = yaml.safe_load((ROOT / scrape.COMPOSE).read_text(encoding="utf-8"))["scrape_configs"]
    return {
        "services/": {hyphenated(stage) for module in modules("services") if (stage := stage_of(module)) is not None},
        compose.PATH: {name for name, service in services.items() if "services." in " ".join(service.get("command", []))},
        kubernetes.BASE: {path.stem for path in base.glob("*.yaml") if "services." in path.read_text(encoding="utf-8")},
        scrape.COMPOSE: set(job["dns_sd_configs"][0]["names"]),
    }


def misplaced(given: Mapping[str, set[str]]) -> list[str]:
    """Stages that are missing somewhere, and names that no stage has."""
    expected = {hyphenated(stage) for stage in RUNNING_STAGES}
    found = [f"{place} lacks {name}" for place, names in given.items() for name in sorted(expected - names)]
    return found + [f"{place} has {name}, which is no running stage" for place, names in given.items() for name in sorted(names - expected)]


def test_every_running_stage_is_in_every_place_under_its_word() -> None:
    found = misplaced(places())

    assert not found, spell(found)


def test_a_stage_under_another_word_is_caught() -> None:
    given = {"docker-compose.yml": places()[compose.PATH] - {"tool-mapping"} | {"mapper"}}

    assert misplaced(given) == ["docker-compose.yml lacks tool-mapping", "docker-compose.yml has mapper, which is no running stage"]


def test_every_folder_of_services_is_a_declared_stage() -> None:
    found = unknown_stages(modules("services"))

    assert not found, spell(found)


def test_every_stage_folder_is_complete() -> None:
    found = incomplete_stages(modules("services"))

    assert not found, spell(found)


def test_every_stage_calls_itself_by_its_folder_s_name() -> None:
    found = other_names(modules("services"))

    assert not found, spell(found)


def test_every_stage_starts_under_its_folder_s_name() -> None:
    found = started_names(modules("services"))

    assert not found, spell(found)


def test_every_stage_is_wired_to_declared_topics_only() -> None:
    found = undeclared_topics(modules("services"))

    assert not found, spell(found)


def test_every_stage_folder_has_a_test_folder_of_the_same_name() -> None:
    built = {stage for module in modules("services") if (stage := stage_of(module)) is not None}

    missing = [stage for stage in sorted(built) if not (ROOT / "tests/unit/services" / stage).is_dir()]
    assert not missing


def test_group_dead_letters_and_topics_come_from_the_same_word() -> None:
    for stage in STAGES.values():
        assert group_name(stage.name) == f"enact.{hyphenated(stage.name)}"
        assert (dead_letters(stage.name) in TOPICS) is stage.has_dead_letters
        assert dead_letters(stage.name) == f"{hyphenated(stage.name)}.dlq"


def test_one_function_hyphenates() -> None:
    found = second_hyphenators(modules(*PRODUCT))

    assert not found, spell(found)


def test_a_foreign_or_half_built_stage_is_caught() -> None:
    given = [sample("services/__init__.py", ""), sample("services/mapper/stage.py", ""), sample("services/api/__init__.py", "")]

    assert unknown_stages(given) == ["services/mapper is no stage of topology/stages.py"]
    assert "services/api lacks __main__.py" in incomplete_stages(given)


@pytest.mark.parametrize(
    "text", ["class S:\n    name = 'mapping'", "class S:\n    name: str = 'x'", "class S:\n    def f(self): self.name = 'y'"]
)
def test_a_stage_with_a_second_name_is_caught(text: str) -> None:
    assert other_names([sample("services/tool_mapping/stage.py", text)])
    assert not other_names([sample("services/tool_mapping/stage.py", "class S:\n    name = 'tool_mapping'")])


def test_a_second_hyphenator_is_caught() -> None:
    text = "group = stage.replace('_', '-')"

    assert second_hyphenators([sample("cli/up.py", text)])
    assert not second_hyphenators([sample(HYPHENATOR, text)])


def test_a_stage_that_starts_under_another_name_is_caught() -> None:
    assert started_names([sample("services/tool_mapping/__main__.py", "run_stage('mapping', build)")])
    assert not started_names([sample("services/tool_mapping/__main__.py", "run_stage('tool_mapping', build)")])


def test_a_stage_wired_to_a_foreign_topic_is_caught() -> None:
    assert undeclared_topics([sample("services/tool_mapping/__main__.py", "topic_name('outcomes', prefix)")])
    assert not undeclared_topics([sample("services/tool_mapping/__main__.py", "topic_name('tool-calls', prefix)")])
