"""`enact doctor` cannot change anything: what it opens refuses to write, and a schema registry is given nothing."""

import pytest

from cli.doctor_rounds import ReadsOnly, Rounds
from cli.up_file import Running
from enact.errors import ConfigurationError
from enact.kafka.transport import OutRecord
from enact.settings import KernelSettings, load


def test_its_writer_refuses_to_write() -> None:
    with pytest.raises(ConfigurationError, match="changes nothing"):
        ReadsOnly().send(OutRecord(topic="t", partition=0, key=b"k", value=b"v"))


def test_it_registers_no_schema_whatever_the_settings_say() -> None:
    environ = {"ENACT_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "ENACT_SCHEMA_REGISTRY__URL": "http://127.0.0.1:1"}
    settings = load(KernelSettings, environ)
    assert settings.schema_registry.registers

    rounds = Rounds(settings, Running())

    assert not rounds.framing.registers


def test_it_does_not_wait_for_ever_for_a_cluster() -> None:
    settings = load(KernelSettings, {"ENACT_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "ENACT_KAFKA__REQUEST_TIMEOUT_S": "0.3"})

    (finding,) = Rounds(settings, Running()).cluster()

    assert finding.level.value == "fail"
    assert "127.0.0.1:1" in finding.text
