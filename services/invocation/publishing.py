"""How the internal connector writes: one acknowledged record of the internal-objects topic."""

import asyncio
from collections.abc import Awaitable, Callable

from enact.errors import AmbiguousError, EnactError, RecordTooLargeError, RejectedError
from enact.kafka.transport import OutRecord, Writer


def publish_to(topic: str, writer: Writer, partition_for: Callable[[bytes], int]) -> Callable[[bytes, bytes], Awaitable[None]]:
    """An awaitable write. Raises (when awaited): RejectedError if the record is too large, AmbiguousError if nobody acknowledged it."""

    async def publish(key: bytes, value: bytes) -> None:
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[EnactError | None] = loop.create_future()

        def settle(error: EnactError | None) -> None:
            if not acknowledged.done():
                acknowledged.set_result(error)

        def reported(error: EnactError | None, partition: int, offset: int) -> None:
            del partition, offset
            loop.call_soon_threadsafe(settle, error)

        writer.send(OutRecord(topic, partition_for(key), key, value), reported)
        while not acknowledged.done():
            writer.poll()
            await asyncio.sleep(0.001)
        error = acknowledged.result()
        if isinstance(error, RecordTooLargeError):
            raise RejectedError("The object is larger than the internal-objects topic accepts: shorten it.") from error
        if error is not None:
            raise AmbiguousError("The internal object was not acknowledged; it may have been written.") from error

    return publish
