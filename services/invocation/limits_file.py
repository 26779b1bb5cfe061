"""The limits file: how much of a connector a tenant may use. Read again when it changes; a broken version changes nothing.

```yaml
default: {rate_per_s: 50, concurrency: 20}     # each tenant on each connector that has no entry of its own
connectors:
  crm: {rate_per_s: 100}                       # all tenants together
tenants:
  acme:
    crm:
      rate_per_s: 5
      action_types:
        UPDATE_CRM_FIELD: {concurrency: 1}     # besides what holds for acme on crm
```
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from enact.errors import ConfigurationError
from enact.file_revision import Revision, revision_of

MAX_FILE_BYTES = 1_048_576
_TURN_S = 0.1
_VARIABLE = "ENACT_INVOCATION__LIMITS_FILE"

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class Limit(BaseModel):
    """What may start in a second, how many of these at the same moment, and how many calls may be under way. None = any number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    rate_per_s: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False, strict=False)] | None = None
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _burst_has_a_rate(self) -> Self:
        if self.burst is not None and self.rate_per_s is None:
            raise ValueError("burst is given without rate_per_s")
        return self

    def capacity(self, share: float) -> float:
        """Calls that a process with this share may start at the same moment: `burst`, or one and what the rate gives in a turn.

        A bucket that holds less loses a part of its rate to the turns: what is full cannot be filled further.
        """
        return max(1.0, self.burst * share) if self.burst is not None else 1.0 + (self.rate_per_s or 0.0) * share * _TURN_S

    @property
    def is_any(self) -> bool:
        """True if it limits something."""
        return self.rate_per_s is not None or self.concurrency is not None


class LimitEntry(Limit):
    """A limit, and further ones for single action types within it."""

    action_types: Mapping[Word, Limit] = Field(default_factory=dict)


class LimitsFile(BaseModel):
    """A whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    default: LimitEntry = LimitEntry()
    connectors: Mapping[Word, LimitEntry] = Field(default_factory=dict)
    tenants: Mapping[Word, Mapping[Word, LimitEntry]] = Field(default_factory=dict)


def read_limits(path: Path) -> LimitsFile:
    """The file as it is now. Raises: ConfigurationError naming the file's variable, each field with a problem, and what was expected."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{_VARIABLE}: the limits file is larger than {MAX_FILE_BYTES} bytes: shorten it.")
        raw = yaml.safe_load(path.read_bytes())
    except OSError as error:
        message = f"{_VARIABLE}: the limits file cannot be read ({type(error).__name__}): correct the path or its permissions."
        raise ConfigurationError(message) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{_VARIABLE}: the limits file is not YAML ({type(error).__name__}): correct it.") from error
    try:
        return LimitsFile.model_validate({} if raw is None else raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = sorted({f"{'.'.join(str(part) for part in one['loc']) or 'the whole file'}: {one['msg']}" for one in found})
        raise ConfigurationError("\n".join([f"{_VARIABLE}: the limits file does not fit:", *problems])) from None


class LimitsSource:
    """The limits in force: of the newest version of the file that could be read."""

    def __init__(self, path: Path | None) -> None:
        """Reads it. Raises: ConfigurationError; no process starts with limits that nobody can read."""
        self._path = path
        self._seen = self._revision()
        self.current = read_limits(path) if path is not None else LimitsFile()
        self.problem: str | None = None

    def look(self) -> bool:
        """Look at the file again; True if other limits are in force or `problem` changed. One `stat` while nothing did."""
        revision = self._revision()
        if self._path is None or revision == self._seen:
            return False
        self._seen = revision
        try:
            self.current, self.problem = read_limits(self._path), None
        except ConfigurationError as error:
            self.problem = error.message
        return True

    def _revision(self) -> Revision | None:
        if self._path is None:
            return None
        try:
            return revision_of(self._path.stat())
        except OSError:
            return None
