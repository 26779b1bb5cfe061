"""Published vectors: Apache Kafka's UtilsTest.testMurmur2 and librdkafka's rdmurmur2.c; then what we promise ourselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enact.errors import ConfigurationError
from enact.kafka.partitioner import murmur2, partition_of

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
LIBRDKAFKA = {b"kafka": 0xD067CF64, b"giberish123456789": 0x8F552B0C, b"1234": 0x9FC97B14, b"234": 0xE7C009CA, b"34": 0x873930DA}


@pytest.mark.parametrize("data", JAVA)
def test_the_hash_is_that_of_kafkas_java_client(data: bytes) -> None:
    assert murmur2(data) == JAVA[data] & 0xFFFFFFFF


@pytest.mark.parametrize("data", LIBRDKAFKA)
def test_the_hash_is_that_of_librdkafka(data: bytes) -> None:
    assert murmur2(data) == LIBRDKAFKA[data]


def test_a_negative_hash_gives_the_partition_java_gives() -> None:
    assert partition_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert partition_of("21", 12) != abs(-973932308) % 12


@given(st.text(max_size=130), st.integers(min_value=1, max_value=500))
def test_text_and_its_bytes_go_to_the_same_existing_partition(text: str, count: int) -> None:
    found = partition_of(text, count)

    assert 0 <= found < count
    assert found == partition_of(text.encode(), count)


def test_no_partitions_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        partition_of("id", 0)
