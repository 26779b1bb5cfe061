"""librdkafka's own statistics into our metrics: how far behind this member is, and what waits in its queues.

Fields: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md. `consumer_lag_stored` is of no use here (offsets
are not stored in the client), `consumer_lag` is: end of the log minus the committed offset; -1 = not known yet.
"""

from typing import Any

import orjson

from enact.metrics import Metrics


class StatisticsCollector:
    """Give `collect` to a `GroupReader` as `on_statistics`; it is called on the thread of `take`, every 5 s."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self, text: str) -> None:
        """One report of the client."""
        self._metrics.consumer_lag_records.set(consumer_lag(orjson.loads(text)))


def consumer_lag(statistics: dict[str, Any]) -> int:
    """Records behind, over all partitions this member fetches. Partitions without a known lag count 0."""
    total = 0
    for topic in statistics.get("topics", {}).values():
        for number, partition in topic.get("partitions", {}).items():
            if number != "-1" and partition.get("fetch_state") != "none":
                total += max(0, int(partition.get("consumer_lag", -1)))
    return total
