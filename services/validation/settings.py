"""What the validation process is told, beyond what every process is told."""

from pydantic import Field, model_validator

from enact.settings import Group, KernelSettings
from services.validation.checks import DAY_S, Limits


class ValidationSettings(Group):
    """Numbers of the cluster that bound an intent's life. They must be those the topics were made with."""

    dedupe_horizon_s: int = Field(default=30 * DAY_S, ge=1, description="seconds for which decisions are remembered (D)")
    input_retention_s: int = Field(default=7 * DAY_S, ge=1, description="seconds for which the intent topics keep a record")
    segment_s: int = Field(default=DAY_S, ge=1, description="longest age of an open log segment, which retention cannot delete")
    max_intent_bytes: int = Field(default=262_144, ge=1_024, description="largest intent that is decoded")

    @property
    def limits(self) -> Limits:
        """The same numbers as the checks take them."""
        return Limits(
            dedupe_horizon_s=self.dedupe_horizon_s,
            input_retention_s=self.input_retention_s,
            segment_s=self.segment_s,
            max_intent_bytes=self.max_intent_bytes,
        )

    @model_validator(mode="after")
    def _leaves_a_life(self) -> "ValidationSettings":
        if self.limits.max_lifetime_s <= 0:
            raise ValueError("dedupe_horizon_s must be more than input_retention_s, segment_s and a day together, or no intent could live")
        return self


class Settings(KernelSettings):
    """`ENACT_VALIDATION__…` and the kernel's settings."""

    validation: ValidationSettings = ValidationSettings()
