"""What the api process is told, beyond what every process is told."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from enact.settings import KernelSettings, Profile

ANY_ORIGIN = "*"
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9._-]+(:\d{1,5})?)$")]


class Settings(KernelSettings):
    """`ENACT_API__PORT` and the rest of the kernel's settings apply too."""

    read_model_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of this process's own read model; none = the SQLite file api/read-model.sqlite in the data folder",
    )
    cors_origin: tuple[Origin, ...] = Field(
        default=(), description="comma list of origins that browsers may call the api from; none = any in development, no one in production"
    )

    @field_validator("cors_origin", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origin")
    @classmethod
    def _not_from_anywhere_in_production(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("profile") is Profile.PRODUCTION and ANY_ORIGIN in value:
            raise ValueError("may not be * in production: name the origins, such as https://desk.example")
        return value

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins that browsers may call from; none = the header is left out."""
        if self.cors_origin:
            return (ANY_ORIGIN,) if ANY_ORIGIN in self.cors_origin else self.cors_origin
        return (ANY_ORIGIN,) if self.profile is Profile.DEVELOPMENT else ()
