"""`docs/guides/publish-from-anywhere.md` as scripts: the blocks of a section, run by bash in a folder that has what a stranger has."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.command import ROOT

PAGE = ROOT / "docs" / "guides" / "publish-from-anywhere.md"
_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)


def sections(text: str) -> dict[str, list[str]]:
    """Title → its shell blocks, in order; what stands before the first title is under the empty one."""
    parts = _SECTION.split(text)
    titles = ["", *parts[1::2]]
    return {title: _BLOCK.findall(body) for title, body in zip(titles, parts[0::2], strict=True)}


def blocks_of(name: str) -> list[str]:
    """The blocks of the section whose title ends with `name`. Raises: AssertionError if there is not exactly one."""
    found = [blocks for title, blocks in sections(PAGE.read_text("utf-8")).items() if title.endswith(name)]
    assert len(found) == 1, f"{PAGE.name} has {len(found)} sections called {name!r}"
    return found[0]


@dataclass(frozen=True)
class Stranger:
    """Somebody with a shell, the schema files and the examples, in a folder of their own; nothing of enact's code lies there."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def settle(cls, folder: Path, *, tools: Path, **variables: str) -> "Stranger":
        """Give them the files, and the tools in `tools` and beside this interpreter."""
        shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
        shutil.copytree(ROOT / "schemas" / "avro", folder / "schemas" / "avro")
        path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
        return cls(folder, {"PATH": path, "HOME": str(folder), "PYTHONSAFEPATH": "1", **variables})

    def run(self, *blocks: str, timeout_s: float = 90) -> str:
        """Run blocks one after the other in one shell, stopping at the first failure; what they printed. Raises: AssertionError."""
        script = "\n".join(("set -euo pipefail", *blocks))
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout
