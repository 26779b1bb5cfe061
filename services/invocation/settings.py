"""What the invocation process is told, beyond what every process is told."""

from pathlib import Path

from pydantic import Field

from enact.settings import Group, KernelSettings


class InvocationGroup(Group):
    """How invocation calls the outside."""

    window: int = Field(default=500, ge=1, le=5_000, description="claims and calls in flight at most")
    ca_file: Path | None = Field(default=None, description="file with further certificate authorities for outbound calls")


class InvocationSettings(KernelSettings):
    """`ENACT_INVOCATION__…` and the kernel's settings."""

    invocation: InvocationGroup = InvocationGroup()
