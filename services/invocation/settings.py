"""What invocation is told beyond the kernel's settings."""

from pathlib import Path

from pydantic import Field

from enact.settings import KernelSettings


class InvocationSettings(KernelSettings):
    """Invocation's settings."""

    window: int = Field(default=500, ge=1, le=5_000, description="invocation: claims and calls in flight at most")
    ca_file: Path | None = Field(default=None, description="invocation: file with further certificate authorities for outbound calls")
