"""docs/settings.md: every variable of every process, from the declarations.

`python -m cli.settings_page` writes the page again; with `--check` it writes nothing and exits 9 if the page is stale.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cli.exit_codes import Exit
from enact.settings import BOOTSTRAP, BOOTSTRAP_ALIAS, KernelSettings
from enact.settings_table import SettingRow, describe
from services.api.settings import Settings as ApiProcessSettings
from services.invocation.settings import InvocationSettings
from services.reconciliation.settings import Settings as ReconciliationProcessSettings
from services.validation.settings import Settings as ValidationProcessSettings

ROOT = Path(__file__).resolve().parent.parent
PATH = "docs/settings.md"

STAGES: Mapping[str, type[KernelSettings]] = MappingProxyType(
    {
        "validation": ValidationProcessSettings,
        "invocation": InvocationSettings,
        "reconciliation": ReconciliationProcessSettings,
        "api": ApiProcessSettings,
    }
)

_INTRO = f"""# Settings

This page is rendered from the settings classes by `make render`; `make check` fails when it is stale. Change the class, not the page.

A process reads its environment once, when it starts, and reports every problem of it together (exit code 64). `enact up` hands its own
environment on to the processes it starts. `{BOOTSTRAP_ALIAS}` is another name of `{BOOTSTRAP}`; they must not differ.
"""


def page() -> str:
    """The whole page."""
    kernel = list(describe(KernelSettings))
    known = {row.variable for row in kernel}
    parts = [_INTRO, "## Every process\n", _table(kernel)]
    for stage, settings_class in STAGES.items():
        parts += [f"## Only {stage}\n", _table([row for row in describe(settings_class) if row.variable not in known])]
    return "\n".join(parts)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check; returns the exit code."""
    path = root / PATH
    if path.is_file() and path.read_text(encoding="utf-8") == page():
        return 0
    if arguments == ["--check"]:
        sys.stderr.write(f"stale: {PATH}. Run `make render` and commit the result.\n")
        return Exit.STALE
    path.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PATH}\n")
    return 0


def _table(rows: list[SettingRow]) -> str:
    lines = ["| variable | takes | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.variable}` | {row.type} | {_code(row.default)} | {_cell(row.meaning)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _code(default: str) -> str:
    return default if default in {"–", "required"} else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
