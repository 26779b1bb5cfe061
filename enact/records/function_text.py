"""The text of one Python function while it is being written: lines, the values it refers to, names nobody uses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class FunctionText:
    """Written line by line; the first line is its `def`, everything after it stands inside."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._constants: dict[str, Any] = {}
        self._depth = 0
        self._names = 0

    def line(self, text: str) -> None:
        """One more line at the present depth."""
        self._lines.append("    " * self._depth + text)
        if self._depth == 0:
            self._depth = 1

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Lines written meanwhile belong to the line before."""
        self._depth += 1
        yield
        self._depth -= 1

    def constant(self, value: Any) -> str:
        """A name that the function finds `value` under."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def new_name(self) -> str:
        """A local name that nothing else has."""
        self._names += 1
        return f"x{self._names}"

    def compiled(self, name: str, known: Mapping[str, Any], *, shown_as: str) -> Callable[..., Any]:
        """The function `name`, which knows its constants and `known`; profiles show it as `shown_as`."""
        names: dict[str, Any] = {**known, **self._constants}
        code = compile("\n".join(self._lines), f"<{shown_as}>", "exec")
        exec(code, names)  # noqa: S102 - its text is made by this package, of field names from schemas of ours
        made: Callable[..., Any] = names[name]
        return made
