"""The Dockerfile as the checks see it: what the image sets, listens on, owns and copies."""

import json
import re
from dataclasses import dataclass
from functools import cache

from tests.architecture.tree import ROOT


@dataclass(frozen=True)
class Image:
    """The last stage of the build."""

    variables: dict[str, str]
    exposed: frozenset[int]
    folders: tuple[str, ...]
    copied: tuple[str, ...]
    user: str
    health_command: list[str]
    command: list[str]
    text: str

    @property
    def health_port(self) -> int:
        return int(self.variables["ENACT_HEALTH__PORT"])

    @property
    def data_dir(self) -> str:
        return self.variables["ENACT_DATA_DIR"]


def parsed(text: str) -> Image:
    """Raises: AttributeError, ValueError or KeyError where an instruction is missing."""
    joined = re.sub(r"\\\n\s*", " ", text)
    last = joined[joined.rindex("\nFROM ") :]

    def instruction(name: str, where: str = last) -> str:
        found = re.search(rf"^{name} (.*)$", where, re.MULTILINE)
        if found is None:
            raise ValueError(f"no {name}")
        return found.group(1)

    return Image(
        variables=dict(re.findall(r"(\w+)=(\S+)", instruction("ENV"))),
        exposed=frozenset(map(int, instruction("EXPOSE").split())),
        folders=tuple(re.findall(r"(?<= )(/\S+)", instruction("RUN").partition("install -d")[2])),
        copied=tuple(re.findall(r"^COPY (?!--from)(.*) \S+$", joined, re.MULTILINE)),
        user=instruction("USER"),
        health_command=json.loads(re.search(r"CMD (\[.*\])", instruction("HEALTHCHECK")).group(1)),  # type: ignore[union-attr]
        command=json.loads(instruction("CMD")),
        text=text,
    )


@cache
def image() -> Image:
    return parsed((ROOT / "Dockerfile").read_text(encoding="utf-8"))
