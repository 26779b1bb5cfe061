"""docs/commands.md: every verb of `enact` and every exit code, from the code.

`python -m cli.commands_page` writes the page again; with `--check` it writes nothing and exits 9 if the page is stale.
"""

import sys
from pathlib import Path

from cli.exit_codes import MEANINGS, Exit
from cli.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent
PATH = "docs/commands.md"

_INTRO = """# The command line

This page is rendered from the code by `make render`; `make check` fails when it is stale. `enact VERB --help` says all about a verb.

Where a verb finds things: the cluster that `ENACT_KAFKA__BOOTSTRAP_SERVERS` names, else the one that a running `enact up` with
the same data folder started; the api at `--api-url`, else that of the running `enact up`, else `http://127.0.0.1:8080`. `--tenant` and
`--account` can be left out where `ENACT_TENANT` and `ENACT_ACCOUNT` are set. What stops or resolves things (`cancel`, `cancel-all`,
`resolve`, `switch`) goes straight to the topics and works while the api is down.

With `--json` the answer is one JSON document on stdout, a refusal too: `{"error": NAME, "message": TEXT}`, and the exit code is the same.
Only a wrong command line (exit code 2) is told as text, on stderr. Without it, answers go to stdout, refusals and warnings to stderr.
"""


def page() -> str:
    """The whole page."""
    verbs = ["| verb | what it does |", "|---|---|", *(f"| `enact {name}` | {verb.help} |" for name, verb in VERBS.items())]
    codes = [
        "| exit code | name | meaning |",
        "|---|---|---|",
        *(f"| {code.value} | `{code.name}` | {text} |" for code, text in MEANINGS.items()),
    ]
    return "\n".join([_INTRO, "## Verbs\n", *verbs, "\n## Exit codes\n", *codes, ""])


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check; returns the exit code."""
    path = root / PATH
    if path.is_file() and path.read_text(encoding="utf-8") == page():
        return Exit.OK
    if arguments == ["--check"]:
        sys.stderr.write(f"stale: {PATH}. Run `make render` and commit the result.\n")
        return Exit.STALE
    path.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PATH}\n")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
