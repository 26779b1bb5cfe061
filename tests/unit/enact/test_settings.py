"""Settings are read once, checked whole, and say where to put things right."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic import ValidationError as PydanticError

from enact.errors import ConfigurationError
from enact.settings import KernelSettings, LogLevel, Profile, cache_folder, child_environment, load


class StageSettings(KernelSettings):
    """Some stage's own."""

    max_in_flight: int = 500
    secret: SecretStr


def test_nothing_set_gives_the_development_defaults() -> None:
    settings = load(KernelSettings, {})

    assert settings.kafka.bootstrap_servers is None
    assert (settings.topic_prefix, str(settings.data_dir), settings.profile) == ("enact", ".enact", Profile.DEVELOPMENT)
    assert (settings.health.host, settings.api.port, settings.log.level) == ("127.0.0.1", 8080, LogLevel.INFO)
    assert settings.execution_enabled is True
    assert settings.outbound.allow == ()


def test_every_variable_of_the_contract_is_read() -> None:
    settings = load(
        KernelSettings,
        {
            "ENACT_KAFKA__BOOTSTRAP_SERVERS": "k:9092",
            "ENACT_TOPIC_PREFIX": "acme",
            "ENACT_DATA_DIR": "/data",
            "ENACT_PROFILE": "production",
            "ENACT_HEALTH__PORT": "0",
            "ENACT_EXECUTION_ENABLED": "false",
            "ENACT_CREDENTIALS_DIR": "/secrets",
            "ENACT_OUTBOUND__ALLOW": "127.0.0.1:8090, [::1]:8091",
            "ENACT_LOG__LEVEL": "debug",
            "ENACT_API__PORT": "8081",
        },
    )

    assert settings.kafka.require_bootstrap_servers() == "k:9092"
    assert (settings.topic_prefix, str(settings.data_dir), settings.profile) == ("acme", "/data", Profile.PRODUCTION)
    assert (settings.health.port, settings.execution_enabled, str(settings.credentials_dir)) == (0, False, "/secrets")
    assert settings.outbound.allow == ("127.0.0.1:8090", "[::1]:8091")
    assert (settings.log.level, settings.api.port) == (LogLevel.DEBUG, 8081)


@pytest.mark.parametrize("name", ["KAFKA_BOOTSTRAP_SERVERS", "ENACT_KAFKA__BOOTSTRAP_SERVERS"])
def test_either_name_of_the_cluster_will_do(name: str) -> None:
    assert load(KernelSettings, {name: "k:1"}).kafka.bootstrap_servers == "k:1"


def test_both_names_must_agree() -> None:
    both = {"KAFKA_BOOTSTRAP_SERVERS": "a:1", "ENACT_KAFKA__BOOTSTRAP_SERVERS": "b:1"}

    with pytest.raises(ConfigurationError, match="different clusters"):
        load(KernelSettings, both)

    assert load(KernelSettings, dict.fromkeys(both, "a:1")).kafka.bootstrap_servers == "a:1"


def test_all_problems_are_reported_together_each_with_its_variable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            StageSettings,
            {
                "KAFKA_BOOTSTRAP_SERVERS": "a:1",
                "ENACT_KAFKA__BOOTSTRAP_SERVERS": "b:1",
                "ENACT_HEALTH__PORT": "many",
                "ENACT_HEALTH__PROT": "1",
                "ENACT_EXECUTION_ENABLED": "perhaps",
                "ENACT_OUTBOUND__ALLOW": "no-port",
                "ENACT_TOPIC_PREFIX": "Not A Prefix",
            },
        )

    lines = caught.value.message.splitlines()
    for name in ("HEALTH__PORT", "HEALTH__PROT", "EXECUTION_ENABLED", "OUTBOUND__ALLOW", "TOPIC_PREFIX", "SECRET"):
        assert sum(line.startswith(f"ENACT_{name}: ") for line in lines) == 1, name
    assert "different clusters" in lines[0]
    assert "environment" in lines[-1]
    assert len(lines) == 8


def test_a_value_is_never_repeated_in_a_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(KernelSettings, {"ENACT_KAFKA__DELIVERY_TIMEOUT_S": "hunter2", "ENACT_KAFKA": "hunter2"})

    assert "hunter2" not in caught.value.message


def test_secrets_are_masked() -> None:
    settings = load(StageSettings, {"ENACT_SECRET": "hunter2", "ENACT_KAFKA__SASL_PASSWORD": "hunter3"})

    assert "hunter" not in repr(settings)
    assert "hunter" not in str(settings.model_dump())


def test_settings_are_frozen_and_reading_the_environment_is_explicit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_TOPIC_PREFIX", "from-the-environment")

    assert KernelSettings().topic_prefix == "enact"
    assert load(KernelSettings).topic_prefix == "from-the-environment"
    with pytest.raises(PydanticError):
        load(KernelSettings).topic_prefix = "other"  # type: ignore[misc]


def test_a_missing_cluster_is_named_when_it_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="ENACT_KAFKA__BOOTSTRAP_SERVERS"):
        load(KernelSettings, {}).kafka.require_bootstrap_servers()


def test_the_cache_folder_is_the_variables_then_the_platforms(tmp_path: Path) -> None:
    assert (
        cache_folder({"ENACT_CACHE_DIR": str(tmp_path)}) == tmp_path == load(KernelSettings, {"ENACT_CACHE_DIR": str(tmp_path)}).cache_dir
    )
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache/me"}) == Path("/var/cache/me/enact")
    assert cache_folder({}) == Path.home() / ".cache" / "enact"


def test_a_child_is_told_what_we_were_told_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENACT_TOPIC_PREFIX", "ours")
    monkeypatch.setenv("ENACT_HEALTH__PORT", "1")

    told = child_environment({"ENACT_HEALTH__PORT": "2"})

    assert (told["ENACT_TOPIC_PREFIX"], told["ENACT_HEALTH__PORT"]) == ("ours", "2")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8081", "https://schemas.example/confluent/v1"])
def test_the_address_of_a_schema_registry_is_one_url(url: str) -> None:
    assert load(KernelSettings, {"ENACT_SCHEMA_REGISTRY__URL": url}).schema_registry.url == url


@pytest.mark.parametrize("url", ["schemas:8081", "mock://x", "http://", "http://kim:secret@schemas", "http://a,http://b", "http://a b", ""])
def test_an_address_that_is_none_or_carries_a_password_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ENACT_SCHEMA_REGISTRY__URL") as refusal:
        load(KernelSettings, {"ENACT_SCHEMA_REGISTRY__URL": url})

    assert "secret" not in refusal.value.message


def test_the_user_of_a_schema_registry_needs_a_password() -> None:
    given = {"ENACT_SCHEMA_REGISTRY__URL": "http://schemas", "ENACT_SCHEMA_REGISTRY__USERNAME": "enact"}

    with pytest.raises(ConfigurationError, match="both be set, or neither"):
        load(KernelSettings, given)

    given["ENACT_SCHEMA_REGISTRY__PASSWORD"] = "secret"
    found = load(KernelSettings, given).schema_registry
    assert found.password is not None
    assert "secret" not in repr(found)
