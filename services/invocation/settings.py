"""What the invocation process is told, beyond what every process is told."""

from pathlib import Path

from pydantic import Field

from enact.settings import Group, KernelSettings


class InvocationGroup(Group):
    """How invocation calls the outside."""

    window: int = Field(default=500, ge=1, le=5_000, description="claims and calls in flight at most")
    ca_file: Path | None = Field(default=None, description="file with further certificate authorities for outbound calls")

    limits_file: Path | None = Field(
        default=None, description="YAML file with rates and numbers of calls for tenants and connectors; read again when it changes"
    )
    breaker_failures: int = Field(default=5, ge=1, le=1_000, description="transport failures in a row that open a breaker")
    breaker_open_s: float = Field(default=5.0, gt=0, le=3_600, description="seconds a breaker stays open at first; doubled each time")
    breaker_max_open_s: float = Field(default=60.0, gt=0, le=86_400, description="seconds a breaker stays open at most")
    breaker_trials: int = Field(default=3, ge=1, le=100, description="calls that a half-open breaker lets out at once")


class InvocationSettings(KernelSettings):
    """`ENACT_INVOCATION__…` and the kernel's settings."""

    invocation: InvocationGroup = InvocationGroup()
