"""YAML as people want to read it: in the order given, lists indented or, where short and plain, on one line; no anchors."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

RENDERED = "# Rendered from topology/ by `make render`; `make check` fails when it is stale. Change the declaration, not this file.\n"


_SHORT = 100


class _Plain(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Lists stand below their key, not beside it."""
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """The same value twice is written twice."""
        return True


def _list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.SequenceNode:
    """A command or a list of names stands on one line."""
    is_short = all(isinstance(one, str) for one in data) and len(", ".join(map(str, data))) <= _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=is_short)


_Plain.add_representer(list, _list)


def fragment(value: Mapping[str, Any]) -> str:
    """One mapping as YAML text."""
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, default_flow_style=False, width=140, allow_unicode=True)


def documents_of(values: Sequence[Mapping[str, Any]]) -> str:
    """A whole file: what it is, then one document for each value."""
    return RENDERED + "---\n".join(fragment(value) for value in values)
