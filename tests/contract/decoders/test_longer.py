"""The same attack on every decoder as in the unit tests, sixteen times as long: about half a minute of one core for all of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.decoders import DECODERS, Decoder

EXAMPLES = 400


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_a_decoder_under_a_longer_attack_raises_only_what_it_says(decoder: Decoder, data: st.DataObject) -> None:
    decoder.attack(data.draw(decoder.draw))
