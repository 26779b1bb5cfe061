"""Whatever the bytes are, a decoder raises only what it says, soon, and shows no value; `tests/contract/decoders` does it for longer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.decoders import DECODERS, Decoder


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
@settings(max_examples=25)
@given(data=st.data())
def test_a_decoder_raises_only_what_it_says_and_shows_no_value(decoder: Decoder, data: st.DataObject) -> None:
    decoder.attack(data.draw(decoder.draw))
