"""Which connector's tool a request comes from, as far as the request itself tells: its method and its address."""

import re
from typing import Final

from connectors.sandbox.tools import PATHS

_SOBJECT = r"/services/data/v\d+\.\d+/sobjects"
TOOLS: Final = (
    *(("POST", re.compile(re.escape(path)), tool) for tool, path in PATHS.items()),
    ("PATCH", re.compile(rf"{_SOBJECT}/Task/Enact_Key__c/[^/]+"), "crm.create_task"),
    ("DELETE", re.compile(rf"{_SOBJECT}/Task/Enact_Key__c/[^/]+"), "crm.delete_task"),
    ("PATCH", re.compile(rf"{_SOBJECT}/Opportunity/Enact_Key__c/[^/]+"), "crm.create_opportunity"),
    ("DELETE", re.compile(rf"{_SOBJECT}/Opportunity/Enact_Key__c/[^/]+"), "crm.delete_opportunity"),
    ("PATCH", re.compile(rf"{_SOBJECT}/[^/]+/[^/]+/?"), "crm.update_field"),
)


def tool_of(method: str, path: str) -> str | None:
    """The tool's name; None for a request that no connector makes."""
    return next((tool for known, pattern, tool in TOOLS if known == method and pattern.fullmatch(path)), None)
