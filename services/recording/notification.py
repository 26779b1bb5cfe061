"""Whom something must reach: one sentence for a person, for each result that needs one."""

from collections.abc import Iterator
from typing import Final

from enact import ids
from enact.error_catalogue import row_of
from enact.errors import ErrorCode
from enact.records.enums import NotificationKind, Status
from enact.records.ledger import Notification
from enact.records.tool_result import ToolResult

TEXTS: Final = {
    NotificationKind.EXPIRED: "It was not done before its deadline.",
    NotificationKind.HELD: "It waits on purpose (a switch, a breaker or a limit) and goes on by itself, or expires at its deadline.",
    NotificationKind.IN_DOUBT: (
        "Nobody can say whether it was done. Look in the external system and resolve it as applied or not applied."
    ),
    NotificationKind.OUTCOME_CONTRADICTED: "It was reported as not done, and evidence came that it was. It now counts as done.",
}


def notifications_of(result: ToolResult, *, at_ms: int) -> Iterator[Notification]:
    """What people are told of this result. Ids come from its event id, so a repeat can be dropped."""
    if result.execute.is_contradicted:
        yield _notification(result, NotificationKind.OUTCOME_CONTRADICTED, TEXTS[NotificationKind.OUTCOME_CONTRADICTED], at_ms)
    code = result.execute.error.code if result.execute.error else ErrorCode.UNEXPECTED_ERROR
    match result.execute.status:
        case Status.FAILED if code == ErrorCode.RETRIES_EXHAUSTED:
            yield _notification(result, NotificationKind.RETRIES_EXHAUSTED, row_of(code).operator, at_ms)
        case Status.FAILED:
            yield _notification(result, NotificationKind.FAILED, f"{code}: {row_of(code).operator}", at_ms)
        case Status.EXPIRED | Status.HELD | Status.IN_DOUBT as status:
            kind = NotificationKind(status.value)
            yield _notification(result, kind, TEXTS[kind], at_ms)
        case _:
            return


def _notification(result: ToolResult, kind: NotificationKind, text: str, at_ms: int) -> Notification:
    return Notification(
        notification_id=ids.notification_id(result.tenant_id, result.action_intent_id, kind, result.event_id),
        kind=kind,
        tenant_id=result.tenant_id,
        action_intent_id=result.action_intent_id,
        text=f"{ids.execution_id(result.action_intent_id)} ({result.action_type or 'unknown action'}): {text}",
        at_ms=at_ms,
    )
