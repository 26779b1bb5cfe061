"""Which connectors there are: named here one by one, built from settings, nothing found by itself."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from connectors.contract import Connector, Tool
from connectors.credentials import CredentialStore
from connectors.crm.connector import CrmConnector
from connectors.crm.tools import TOOLS as CRM_TOOLS
from connectors.http import HttpClient
from connectors.internal.connector import InternalConnector, Publish
from connectors.internal.tools import TOOLS as INTERNAL_TOOLS
from connectors.outbound_policy import OutboundPolicy
from connectors.sandbox.connector import SandboxConnector
from connectors.sandbox.tools import TOOLS as SANDBOX_TOOLS
from enact.clock import Clock
from enact.records import EffectClass


def build_connectors(
    *,
    publish: Publish,
    clock: Clock,
    credentials_dir: Path | None,
    outbound_allow: Iterable[str] = (),
    ca_file: Path | None = None,
) -> dict[str, Connector]:
    """All connectors by name, on one HTTP client; close each of them on the event loop that made the calls.

    The sandbox's is always there: without its registry entry and its credentials nothing reaches it.

    Raises: ConfigurationError.
    """
    http = HttpClient(OutboundPolicy.from_entries(outbound_allow), ca_file=ca_file)
    store = CredentialStore(credentials_dir, clock)
    connectors: tuple[Connector, ...] = (
        InternalConnector(publish),
        CrmConnector(http, store, clock),
        SandboxConnector(http, store, clock),
    )
    return {connector.name: connector for connector in connectors}


def shipped_tools() -> dict[str, Tool]:
    """Every tool by name, without building a connector: for applying registry entries."""
    return {tool.name: tool for tool in (*INTERNAL_TOOLS, *CRM_TOOLS, *SANDBOX_TOOLS)}


def argument_schemas() -> dict[str, dict[str, Any]]:
    """Tool name to arguments schema, as `enact.registry_file.read_entries` takes it."""
    return {name: tool.arguments_schema for name, tool in shipped_tools().items()}


def promises() -> dict[str, EffectClass]:
    """Tool name to what the tool keeps about repeats, as `enact.registry_file.read_entries` takes it."""
    return {name: tool.effect_class for name, tool in shipped_tools().items()}


def registry_files(*, with_sandbox: bool) -> tuple[tuple[str, Traversable], ...]:
    """The registry entries that ship with the connectors: (name for messages, YAML file)."""
    names = ("internal", "crm", "sandbox") if with_sandbox else ("internal", "crm")
    return tuple((f"connectors/{name}/registry.yaml", files("connectors") / name / "registry.yaml") for name in names)
