"""Cancel, resolve and redrive over HTTP: the same commands as on the command line, given by whoever is named."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from enact.command_answers import Accepted, Answer, InDoubt, Recorded, Refused, TooLate
from enact.commands import CommandRefusedError, Commands, UnknownExecutionError
from enact.errors import EnactError
from enact.records import Step
from services.api.command_bodies import Applied, CancelOrder, CommandDone, RedriveOrder, ResolveOrder, done
from services.api.parameters import RequestError, unknown_execution
from services.api.switch_desk import OpenDoor

ANSWER_WAIT_S = 5.0
_AT_ONCE = 4
"""Orders wait for their owner's answer: on threads of their own, so that questions never wait for them."""

_EXECUTION_PREFIX = "exec-"


class CommandDesk:
    """Takes orders about executions. Everything that waits does so on a thread."""

    def __init__(self, open_door: OpenDoor, *, takes_orders: bool = True) -> None:
        self._open_door, self._takes_orders = open_door, takes_orders
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="order")

    async def cancel(self, tenant_id: str, account_id: str, intent_id: str, order: CancelOrder) -> CommandDone:
        """Ask that nothing (more) is done. Raises: RequestError, as `_give`."""
        return await self._give(
            order.actor,
            intent_id,
            lambda commands, one: commands.cancel(
                tenant_id=tenant_id, account_id=account_id, action_intent_id=one, reason=order.reason, timeout_s=ANSWER_WAIT_S
            ),
        )

    async def resolve(self, tenant_id: str, account_id: str, intent_id: str, order: ResolveOrder) -> CommandDone:
        """Say what was found. Raises: RequestError, as `_give`."""
        return await self._give(
            order.actor,
            intent_id,
            lambda commands, one: commands.resolve(
                tenant_id=tenant_id,
                account_id=account_id,
                action_intent_id=one,
                is_applied=isinstance(order, Applied),
                reason=order.reason,
                refs=order.refs if isinstance(order, Applied) else (),
                step=Step(order.step),
                timeout_s=ANSWER_WAIT_S,
            ),
        )

    async def redrive(self, tenant_id: str, account_id: str, intent_id: str, order: RedriveOrder) -> CommandDone:
        """Ask that an ended step runs again. Raises: RequestError, as `_give`."""
        return await self._give(
            order.actor,
            intent_id,
            lambda commands, one: commands.redrive(
                tenant_id=tenant_id,
                account_id=account_id,
                action_intent_id=one,
                reason=order.reason,
                step=Step(order.step),
                timeout_s=ANSWER_WAIT_S,
            ),
        )

    async def _give(self, actor: str, intent_id: str, give: Callable[[Commands, str], Answer]) -> CommandDone:
        """Raises: RequestError 403 (orders are not taken), 404, 409 (too late, in doubt, refused), 503 (not acknowledged)."""
        if not self._takes_orders:
            raise RequestError(403, "Forbidden", "In production nobody's name is proven to this api yet: give the order with enact.")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, actor, intent_id, give)
        match answer:
            case Accepted() | Recorded():
                return done(answer)
            case TooLate():
                raise RequestError(409, "Too late", answer.message)
            case InDoubt():
                raise RequestError(409, "In doubt", answer.message)
            case Refused():
                raise RequestError(409, "Refused", answer.message)
            case _ as never:
                assert_never(never)

    def _ask(self, actor: str, intent_id: str, give: Callable[[Commands, str], Answer]) -> Answer:
        try:
            with self._open_door(f"api:{actor}") as door:
                commands = Commands(door)
                try:
                    return give(commands, intent_id)
                except UnknownExecutionError:
                    if not intent_id.startswith(_EXECUTION_PREFIX):
                        raise
                    return give(commands, intent_id.removeprefix(_EXECUTION_PREFIX))
        except UnknownExecutionError as error:
            raise unknown_execution() from error
        except CommandRefusedError as error:
            raise RequestError(409, "Refused", error.message) from error
        except EnactError as error:
            raise RequestError(503, "Service unavailable", error.message) from error
