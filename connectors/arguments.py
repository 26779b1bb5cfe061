"""Checks tool arguments against the tools' own schemas, and says what is wrong without saying the value."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from connectors.contract import Call, Tool
from enact.errors import ErrorCode, PermanentError
from enact.json_schema import check_value
from enact.records import Step


class ArgumentCheck:
    """The arguments schemas of one connector's tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        tools = tuple(tools)
        self._steps = {tool.name: tool.step for tool in tools}
        self._schemas = {tool.name: orjson.dumps(tool.arguments_schema).decode() for tool in tools}

    def check(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Return if the arguments fit.

        Raises: PermanentError for a tool this connector does not have; ValidationError naming field and rule.
        """
        schema = self._schemas.get(tool_name)
        if schema is None:
            raise PermanentError(
                f"This connector has no tool {tool_name}: correct tool_name in the registry entry.", code=ErrorCode.MAPPING_FAILED
            )
        check_value(dict(arguments), schema, root="arguments", code=ErrorCode.PARAMETERS_INVALID)

    def check_call(self, call: Call, step: Step) -> None:
        """Also refuse a tool that undoes something where one that does something is called for, and the other way round.

        Raises: as `check`.
        """
        self.check(call.tool_name, call.arguments)
        if self._steps[call.tool_name] is not step:
            raise PermanentError(f"{call.tool_name} is no tool of step {step}: correct the registry entry.", code=ErrorCode.MAPPING_FAILED)
