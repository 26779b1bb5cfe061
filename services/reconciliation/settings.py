"""What the reconciliation process is told, beyond what every process is told."""

from pydantic import Field

from enact.settings import Group, KernelSettings
from services.reconciliation.bounds import Bounds


class ReconciliationSettings(Group):
    """How long each state may last before something visible happens, and how fast that goes."""

    pending_s: float = Field(default=300, gt=0, description="seconds from an admission until the execution log must know the intent")
    overdue_s: float = Field(default=300, gt=0, description="seconds by which a due step, a lease's end or a retry may be late")
    told_s: float = Field(default=120, gt=0, description="seconds from an ending until its outcome and ledger must be there")
    expiry_s: float = Field(default=60, gt=0, description="seconds that the owner of the execution log has to say EXPIRED by itself")
    back_off_s: float = Field(default=300, gt=0, description="seconds from the first repair to the second; doubled each time")
    max_per_s: int = Field(default=50, ge=1, le=10_000, description="repairs per second, at most")
    grace_s: float = Field(default=60, ge=0, description="seconds after catching up before anything is repaired")

    @property
    def bounds(self) -> Bounds:
        """The same numbers as the judgement takes them."""
        return Bounds(
            pending_ms=round(self.pending_s * 1000),
            overdue_ms=round(self.overdue_s * 1000),
            told_ms=round(self.told_s * 1000),
            expiry_ms=round(self.expiry_s * 1000),
            back_off_ms=round(self.back_off_s * 1000),
        )


class Settings(KernelSettings):
    """`ENACT_RECONCILIATION__…` and the kernel's settings."""

    reconciliation: ReconciliationSettings = ReconciliationSettings()
