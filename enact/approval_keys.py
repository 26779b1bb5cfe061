"""The public keys that may sign approvals: a JWKS file, read again when it changes, without a restart.

A key that left the file verifies nothing any more. A file that cannot be read whole changes nothing: the keys before it stay
in force, and that is said. Only public keys: a file with a private one is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from enact.clock import Clock
from enact.compact_jws import ALGORITHM, KEY_ID, from_base64url
from enact.errors import ConfigurationError, ErrorCode, ValidationError
from enact.log import get_logger
from enact.strict_json import parse_json, shown_name

MAX_FILE_BYTES: Final = 262_144
LOOK_EVERY_S: Final = 1.0
KEY_BYTES: Final = 32
MEMBERS: Final = frozenset({"kty", "crv", "x", "kid", "use", "alg", "key_ops", "iss"})
_FIXED: Final = (("kty", "OKP"), ("crv", "Ed25519"))
_OPTIONAL: Final = (("use", "sig"), ("alg", ALGORITHM), ("key_ops", ["verify"]))


class ApprovalKey:
    """One public key. `issuer` None = it may sign for every trusted issuer. Equal only to itself: a new file makes new keys."""

    def __init__(self, kid: str, jwk: OKPKey, issuer: str | None = None) -> None:
        self.kid, self.jwk, self.issuer = kid, jwk, issuer


KeySet = Mapping[str, ApprovalKey]
"""By kid."""


def read_key_set(data: bytes) -> KeySet:
    """The keys of a JWKS. Raises: ValidationError naming the key by its place, and what is wrong with it."""
    if len(data) > MAX_FILE_BYTES:
        raise _wrong(f"The file has {len(data)} bytes, allowed are {MAX_FILE_BYTES}.")
    tree = parse_json(data, code=ErrorCode.MALFORMED_RECORD)
    entries = tree.get("keys") if isinstance(tree, dict) else None
    if not isinstance(entries, list) or set(tree) != {"keys"}:
        raise _wrong('A key set is {"keys": […]} and nothing else.')
    if not entries:
        raise _wrong("The key set holds no key, so nothing could ever be approved.")
    keys: dict[str, ApprovalKey] = {}
    for place, entry in enumerate(entries):
        key = _key(entry, f"keys[{place}]")
        if key.kid in keys:
            raise _wrong(f"keys[{place}].kid is that of an earlier key: give each key an id of its own.")
        keys[key.kid] = key
    return keys


def _key(entry: Any, where: str) -> ApprovalKey:
    if not isinstance(entry, dict):
        raise _wrong(f"{where} is no object.")
    if "d" in entry:
        raise _wrong(f"{where} holds a private key: enact needs the public half only. Remove d here, and make a new pair if this was read.")
    if spare := sorted(entry.keys() - MEMBERS):
        raise _wrong(f"{where} holds {', '.join(map(shown_name, spare))}; known are {', '.join(sorted(MEMBERS))}.")
    for name, wanted in _FIXED:
        if entry.get(name) != wanted:
            raise _wrong(f"{where}.{name} is not {wanted}: only Ed25519 keys verify approvals.")
    for name, value in _OPTIONAL:
        if name in entry and entry[name] != value:
            raise _wrong(f"{where}.{name} is not {value}: leave it out or correct it.")
    kid, issuer, x = entry.get("kid"), entry.get("iss"), entry.get("x")
    if not isinstance(kid, str) or not KEY_ID.fullmatch(kid):
        raise _wrong(f"{where}.kid is missing or no id, which has 1 to 128 of A-Z a-z 0-9 . _ : -")
    if issuer is not None and not (isinstance(issuer, str) and issuer):
        raise _wrong(f"{where}.iss is no text: name the issuer, or leave it out.")
    raw = from_base64url(x) if isinstance(x, str) else None
    if not isinstance(x, str) or raw is None or len(raw) != KEY_BYTES:
        raise _wrong(f"{where}.x is not {KEY_BYTES} bytes in base64url without padding.")
    try:
        jwk = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    except (JoseError, ValueError):
        raise _wrong(f"{where}.x is no Ed25519 public key.") from None
    return ApprovalKey(kid, jwk, issuer)


class KeyMeter(Protocol):
    """Who hears of the keys."""

    def told_of_approval_keys(self, count: int, *, is_stale: bool) -> None:
        """How many are in force, and whether the file is something else that cannot be used."""


class KeyFile:
    """The key set of a file, looked at once a second at most, by whoever asks for it. One thread.

    A stale file cannot be read whole, so it is not what is in force.
    """

    def __init__(self, path: Path, clock: Clock, meter: KeyMeter | None = None) -> None:
        """`meter` is told now and at each change.

        Raises: ConfigurationError if the file cannot be read whole now: a start without keys is no start.
        """
        self._path, self._clock, self._meter = path, clock, meter
        self._log = get_logger("approval")
        try:
            self._seen: bytes | None = read_file(path)
            self._keys = read_key_set(self._seen)
        except ValidationError as error:
            raise ConfigurationError(f"ENACT_APPROVAL__KEYS_FILE names {path}, which is no key set. {error.message}") from None
        self._looked_s = clock.boot_s()
        self._told(is_stale=False)

    def keys(self) -> KeySet:
        """The keys in force: those of the file as it was at most a second ago, if it could be read whole."""
        now_s = self._clock.boot_s()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._look()
        return self._keys

    def _look(self) -> None:
        """The content is compared, not its time: two writes within one tick of a file system's clock have the same time."""
        try:
            data, problem = read_file(self._path), None
        except ValidationError as error:
            data, problem = None, error
        if data == self._seen:
            return
        self._seen = data
        try:
            keys = None if data is None else read_key_set(data)
        except ValidationError as error:
            keys, problem = None, error
        if keys is None:
            self._told(is_stale=True)
            self._log.error("approval_keys_not_usable", problem, text=str(self._path), count=len(self._keys))
            return
        self._keys = keys
        self._told(is_stale=False)
        self._log.info("approval_keys_read", text=str(self._path), count=len(keys))

    def _told(self, *, is_stale: bool) -> None:
        if self._meter is not None:
            self._meter.told_of_approval_keys(len(self._keys), is_stale=is_stale)


def read_file(path: Path) -> bytes:
    """The bytes of a key set's file, one more than are allowed at most. Raises: ValidationError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _wrong(f"It cannot be read ({type(error).__name__}).") from None


def _wrong(what: str) -> ValidationError:
    return ValidationError(what, code=ErrorCode.MALFORMED_RECORD)
