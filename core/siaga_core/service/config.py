"""One TOML file, one frozen value: what is wrong is named by file, key and reason."""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from siaga_core.errors import SiagaError

T = TypeVar("T")


class ConfigError(SiagaError):
    """A configuration file that cannot be used; `key` is dotted, empty when the whole file is meant."""

    def __init__(self, path: Path, key: str, why: str) -> None:
        super().__init__(f"{path}: {key + ': ' if key else ''}{why}")
        self.path, self.key, self.why = path, key, why


def load(path: Path, kind: type[T]) -> T:
    """Read `path` into `kind`, a msgspec Struct with forbid_unknown_fields. Raises ConfigError."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind, dec_hook=_decode)
    except FileNotFoundError as error:
        raise ConfigError(path, "", "there is no such file; name it with --config") from error
    except OSError as error:
        raise ConfigError(path, "", f"cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        key, why = _key_and_reason(str(error))
        raise ConfigError(path, key, why) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", f"is not TOML: {error}") from error


def _decode(kind: type[Any], value: Any) -> Any:
    """What TOML has no word for: paths."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"expected `{kind.__name__}`, got {value!r}")


def _key_and_reason(message: str) -> tuple[str, str]:
    """Turn msgspec's `reason - at `$.a[0].b`` into a dotted key and a reason."""
    why, _, where = message.partition(" - at `$")
    where = where.rstrip("`").lstrip(".").replace("[...]", "[]")
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", why):
        return _join(where, unknown[1]), "is not a key of this file; check its spelling"
    if missing := re.fullmatch(r"Object missing required field `(.+)`", why):
        return _join(where, missing[1]), "is missing"
    return where, why


def _join(parent: str, key: str) -> str:
    return f"{parent}.{key}" if parent else key
