"""Which partition an action intent lives in: Kafka's own murmur2, so that every client agrees.

The arithmetic is that of `org.apache.kafka.common.utils.Utils.murmur2` and of librdkafka's `murmur2_random`
for a record with a key. Evidence: the published vectors in `tests/unit/enact/kafka/test_partitioner.py`.
"""

from functools import lru_cache

from enact.errors import ConfigurationError

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
MASK = 0xFFFFFFFF


@lru_cache(maxsize=8192)
def murmur2(data: bytes) -> int:
    """The 32-bit hash, unsigned (Java prints the same bits as a signed int)."""
    length = len(data)
    whole = length & ~3
    h = (SEED ^ length) & MASK
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * MULTIPLIER & MASK
        k = (k ^ (k >> 24)) * MULTIPLIER & MASK
        h = (h * MULTIPLIER & MASK) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & MASK
    h = (h ^ (h >> 13)) * MULTIPLIER & MASK
    return h ^ (h >> 15)


def partition_of(action_intent_id: str | bytes, partition_count: int) -> int:
    """The partition of everything about this intent: murmur2(id) mod P, with P from broker metadata.

    Raises: ConfigurationError if `partition_count` is not positive.
    """
    if partition_count < 1:
        raise ConfigurationError(f"A topic needs at least one partition, not {partition_count}: ask the broker with `partition_count`.")
    data = action_intent_id.encode() if isinstance(action_intent_id, str) else action_intent_id
    return (murmur2(data) & 0x7FFFFFFF) % partition_count
