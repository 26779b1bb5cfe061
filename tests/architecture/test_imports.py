"""Who may import whom: the contracts of pyproject.toml hold, and each catches the import it is there for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

# One import for each contract, in a tree that is otherwise fine.
BAD_IMPORTS = {
    "the kernel imports a stage": ("enact/fold.py", "import services.api"),
    "the kernel imports the topology": ("enact/fold.py", "import topology"),
    "a connector imports the topology": ("connectors/crm.py", "import topology"),
    "the topology imports a connector": ("topology/topics.py", "import connectors"),
    "a stage imports the command line": ("services/api/stage.py", "import cli"),
    "a stage imports another stage": ("services/recording/stage.py", "import services.api.stage"),
    "a stage that is not invocation imports a connector": ("services/recording/stage.py", "import connectors.crm"),
    "a stage imports the client library": ("services/recording/stage.py", "import confluent_kafka"),
    "the command line imports the client library": ("cli/topics.py", "from confluent_kafka import admin"),
    "the kernel outside its door imports the client library": ("enact/fold.py", "import confluent_kafka"),
    "a stage that is not the monitor imports Faust": ("services/recording/stage.py", "import faust"),
    "a stage that is not the api imports aiohttp": ("services/recording/stage.py", "import aiohttp"),
    "a connector goes around the HTTP client": ("connectors/crm.py", "def call():\n    import aiohttp"),
}
FINE_IMPORTS = {
    "enact/kafka/client.py": "import confluent_kafka",
    "enact/health.py": "import aiohttp",
    "connectors/http.py": "import aiohttp",
    "connectors/crm.py": "import connectors.http\nimport enact.fold",
    "connectors/sandbox/server.py": "import aiohttp",
    "services/invocation/caller.py": "import connectors.crm\nimport enact.kafka.client",
    "services/api/routes.py": "import aiohttp\nimport topology",
    "services/monitor/agents.py": "import faust",
    "cli/up.py": "import services.invocation.caller\nimport connectors.sandbox.server\nimport enact.kafka.client",
}
FOLDERS = ("enact", "topology", "connectors", "services", "cli")


def write_tree(root: Path, texts: dict[str, str]) -> None:
    """A small tree under the contracts of this project."""
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (root / "pyproject.toml").write_text(config, encoding="utf-8")
    for folder in FOLDERS:
        (root / folder).mkdir()
    for path, text in {
        **FINE_IMPORTS,
        "enact/fold.py": "",
        "services/recording/stage.py": "",
        "services/api/stage.py": "",
        **texts,
    }.items():
        file = root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for package in [root / name for name in FOLDERS] + [inner for inner in root.glob("*/*") if inner.is_dir()]:
        (package / "__init__.py").touch()


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a tree, with nothing remembered from another."""
    code = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    return subprocess.run([sys.executable, "-I", "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_every_import_contract_holds() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_contracts_let_through_what_they_allow(tmp_path: Path) -> None:
    write_tree(tmp_path, {})

    result = lint(tmp_path)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 kept, 0 broken" in result.stdout


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a tree with all the forbidden imports at once; one run takes long enough."""
    root = tmp_path_factory.mktemp("forbidden")
    texts: dict[str, str] = {}
    for path, text in BAD_IMPORTS.values():
        texts[path] = f"{texts.get(path, '')}{text}\n"
    write_tree(root, texts)

    result = lint(root)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 6 broken" in result.stdout
    return result.stdout


@pytest.mark.parametrize("story", BAD_IMPORTS)
def test_a_forbidden_import_is_caught(story: str, caught: str) -> None:
    path, text = BAD_IMPORTS[story]
    importer = path.removesuffix(".py").replace("/", ".")
    imported = re.findall(r"(?:from|import) (\S+)", text)[0]

    assert re.search(rf"{re.escape(importer)} -> {re.escape(imported)}\b", caught), caught
