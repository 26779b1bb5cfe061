"""enact as a library: execute an approved intent, ask how it stands, cancel it. The three operations of the API and the CLI."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson

from enact.clock import Clock, SystemClock
from enact.command_answers import Answer
from enact.commands import ANSWER_TIMEOUT_S, Commands, UnknownExecutionError
from enact.errors import ConfigurationError, EnactError, ErrorCode, ValidationError
from enact.ids import execution_id, intent_sha256
from enact.kafka.transport import Writer
from enact.publishing import WireFormat, intent_record
from enact.records import ApprovedIntent

_HTTP_TIMEOUT_S = 10.0
_FLUSH_S = 30.0
_SOURCE = "enact-client"
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404


class ApiError(EnactError):
    """The api did not answer, or not with what was asked for: look at its log, then ask again."""

    code = ErrorCode.UNREACHABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What publishing needs: a writer, the full name of the intents topic and its partition count."""

    writer: Writer
    topic: str
    partition_count: int


class EnactClient:
    """One tenant's door to enact. `async with` it, or `close` it. Not for several event loops.

    Only what is asked for is needed: `api_url` for questions, `publisher` to execute, `commands` to cancel.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        api_url: str | None = None,
        publisher: Publisher | None = None,
        commands: Commands | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._tenant_id = tenant_id
        self._api_url = api_url.rstrip("/") if api_url is not None else None
        self._publisher = publisher
        self._commands = commands
        self._clock: Clock = clock or SystemClock()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the HTTP connections; writer and commands stay the caller's."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def execute_action_intent(self, intent: ApprovedIntent, *, wire_format: WireFormat = WireFormat.JSON) -> str:
        """Publish an approved intent; returns its execution id once the broker has it. Publishing it again changes nothing.

        Raises: ValidationError for another tenant's intent, INTENT_ID_REUSED if the api knows this id with other content;
        ConfigurationError without a publisher; DeliveryError (it may be published all the same: publish it again).
        """
        publisher = self._publisher
        if publisher is None:
            raise ConfigurationError("EnactClient: executing needs a publisher; hand one in.")
        if intent.tenant_id != self._tenant_id:
            raise ValidationError("tenant_id of the intent is not this client's tenant: use a client of that tenant.")
        await self._refuse_reused(intent)
        record = intent_record(
            intent,
            topic=publisher.topic,
            partition_count=publisher.partition_count,
            source=_SOURCE,
            now_ms=self._clock.wall_ms(),
            wire_format=wire_format,
        )

        def publish() -> None:
            publisher.writer.send(record)
            publisher.writer.flush(_FLUSH_S)

        await asyncio.to_thread(publish)
        return execution_id(intent.action_intent_id)

    async def get_execution_status(self, action_intent_id: str, *, account_id: str) -> dict[str, Any]:
        """How the execution stands: the body of `GET /executions/{id}/status`.

        Raises: UnknownExecutionError; ApiError; ConfigurationError without an api URL.
        """
        return await self._get(f"/executions/{quote(action_intent_id, safe='')}/status", {"account_id": account_id})

    async def cancel_execution(
        self, action_intent_id: str, *, reason: str, account_id: str | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Answer:
        """Ask that nothing (more) is done. Raises: as `Commands.cancel`; ConfigurationError without commands."""
        commands = self._commands
        if commands is None:
            raise ConfigurationError("EnactClient: cancelling needs commands; hand them in.")
        return await asyncio.to_thread(
            commands.cancel,
            tenant_id=self._tenant_id,
            action_intent_id=action_intent_id,
            account_id=account_id,
            reason=reason,
            timeout_s=timeout_s,
        )

    async def _refuse_reused(self, intent: ApprovedIntent) -> None:
        """A courtesy: validation decides the same from its log. Without the api, or before it knows the id, nothing is refused."""
        if self._api_url is None:
            return
        try:
            path = f"/executions/{quote(intent.action_intent_id, safe='')}/ledger"
            told = await self._get(path, {"account_id": intent.account_id})
        except (UnknownExecutionError, ApiError):
            return
        known = [entry["details"]["intent_sha256"] for entry in told["entries"] if entry["details"].get("intent_sha256")]
        if known and intent_sha256(intent) not in known:
            raise ValidationError(
                "This action_intent_id is known with other content: an id names one content for ever, "
                "publish the changed intent under a new id.",
                code=ErrorCode.INTENT_ID_REUSED,
            )

    async def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        if self._api_url is None:
            raise ConfigurationError("EnactClient: questions need api_url.")
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_HTTP_TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, headers={"x-tenant-id": self._tenant_id}, trust_env=False)
        try:
            async with self._session.get(f"{self._api_url}{path}", params=query, allow_redirects=False) as response:
                status, body = response.status, orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(f"The api at {self._api_url} does not answer ({type(error).__name__}).") from error
        except ValueError as error:
            raise ApiError(f"What answers at {self._api_url} is not the api of enact.") from error
        if status == _NOT_FOUND:
            raise UnknownExecutionError
        if status == _BAD_REQUEST:
            raise ValidationError(str(body.get("message", "")))
        if status != _OK or not isinstance(body, dict):
            raise ApiError(f"The api answered {status}.")
        return body
