"""The topics that invocation writes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationTopics:
    """Full names of the topics invocation writes."""

    executions: str
    tool_results: str
    ledger: str
    returned: str
