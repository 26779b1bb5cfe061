"""What the api process is told, beyond what every process is told."""

from pydantic import Field

from enact.settings import KernelSettings, Profile


class Settings(KernelSettings):
    """`ENACT_API__PORT` and the rest of the kernel's settings apply too."""

    read_model_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of this process's own read model; none = the SQLite file api/read-model.sqlite in the data folder",
    )
    cors_origin: str | None = Field(
        default=None, description="origin that browsers may call the api from; none = any in development, no one in production"
    )

    @property
    def allowed_origin(self) -> str | None:
        """The value of Access-Control-Allow-Origin; None = the header is left out."""
        if self.cors_origin is not None:
            return self.cors_origin
        return "*" if self.profile is Profile.DEVELOPMENT else None
