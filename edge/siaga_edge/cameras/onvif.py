"""Asking a camera over ONVIF: its clock, what it is, where it streams. The only onvif and zeep here.

Built on the parts of onvif-zeep (its WSDLs and table of services), not on its ONVIFCamera, which has no
deadline, reads replies of any size, repairs broken XML and shares one time stamp between threads.
"""

import functools
import importlib.metadata
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.clock import Clock
from siaga_edge.cameras import exchange


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Undo what the import of onvif does to the root logger (it calls logging.basicConfig)."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)


with _logging_kept():
    import onvif as onvif_zeep
    import zeep
    from onvif.definition import SERVICES
    from zeep.exceptions import Fault
    from zeep.wsdl.utils import etree_to_string
    from zeep.wsse.username import UsernameToken

_new_client: Any = zeep.Client  # zeep's functions carry no annotations
_new_token: Any = UsernameToken
_to_bytes: Any = etree_to_string

logging.getLogger("zeep").setLevel(logging.WARNING)  # at DEBUG it prints whole requests

Outcome = Literal["auth", "unsupported", "timeout", "transport", "nonconformant", "device_fault"]

OPERATION_LIMIT_S = 5.0
_STRICT = {
    "strict": True,
    "forbid_dtd": True,
    "forbid_entities": True,
    "forbid_external": True,
    "xml_huge_tree": False,
}
_REFUSALS = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity"})
_MISSING = frozenset({"ActionNotSupported", "OptionalActionNotImplemented", "NoSuchService", "UnknownAction"})


class OnvifFailed(SiagaError, Transient):
    """An operation failed; `outcome` says how, one of a closed list."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


@dataclass(frozen=True, slots=True)
class Device:
    """What a camera says it is."""

    manufacturer: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Camera minus node, and how far the true value may be off on either side."""

    offset_ms: int
    error_ms: int


class OnvifSession:
    """One camera. Used by one thread; no operation outlives `limit_s`, whatever the camera does."""

    def __init__(
        self, device_url: str, user: str, password: str, clock: Clock, *, limit_s: float = OPERATION_LIMIT_S
    ) -> None:
        self._url, self._clock, self._limit_s = device_url, clock, limit_s
        self._token = _Token(user, password, self._camera_time) if user else None
        self._offset_ms = 0
        self._media_url = ""

    def clock_offset(self) -> ClockOffset:
        """Ask for the camera's time, without a password; later tokens carry that time.

        A camera tells whole seconds, so half of one is added and is part of the error.
        """
        before_s, wall_before_ns = self._clock.mono_s(), self._clock.wall_ns()
        answer = self._ask("devicemgmt", self._url, "GetSystemDateAndTime", token=None)
        waited_ms = int((self._clock.mono_s() - before_s) * 1000)
        told_ms = self._told_ms(answer)
        self._offset_ms = told_ms + 500 - (wall_before_ns // 1_000_000 + waited_ms // 2)
        return ClockOffset(self._offset_ms, 500 + waited_ms // 2)

    def device(self) -> Device:
        """Ask what the camera is."""
        answer = self._ask("devicemgmt", self._url, "GetDeviceInformation", token=self._token)
        fields = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
        return Device(*(_short(getattr(answer, name)) for name in fields))

    def stream_uri(self) -> str:
        """Ask where the first profile streams; the host is always the one that we know, no credentials."""
        media_url = self._media_url or self._find_media()
        profiles = self._ask("media", media_url, "GetProfiles", token=self._token)
        if not profiles:
            raise OnvifFailed("nonconformant", f"{self._host} has no media profile")
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        answer = self._ask(
            "media",
            media_url,
            "GetStreamUri",
            token=self._token,
            StreamSetup=setup,
            ProfileToken=profiles[0].token,
        )
        return pinned(_short(answer.Uri, 2048), self._host, schemes=("rtsp", "rtsps"))

    @property
    def _host(self) -> str:
        return urlsplit(self._url).hostname or ""

    def _camera_time(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC) + timedelta(
            milliseconds=self._offset_ms
        )

    def _find_media(self) -> str:
        """Address of the media service: the path that the camera tells, at the host and port that we know."""
        answer = self._ask("devicemgmt", self._url, "GetCapabilities", token=self._token, Category="Media")
        told = getattr(getattr(answer, "Media", None), "XAddr", None)
        if not told:
            raise OnvifFailed("unsupported", f"{self._host} has no media service")
        known = urlsplit(self._url)
        self._media_url = urlunsplit((known.scheme, known.netloc, urlsplit(str(told)).path, "", ""))
        return self._media_url

    def _told_ms(self, answer: Any) -> int:
        try:
            utc = answer.UTCDateTime
            date, time = utc.Date, utc.Time
            moment = datetime(
                date.Year, date.Month, date.Day, time.Hour, time.Minute, min(time.Second, 59), tzinfo=UTC
            )
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise OnvifFailed("nonconformant", f"{self._host} tells no usable time: {error}") from error
        return int(moment.timestamp()) * 1000

    def _ask(
        self, service: str, url: str, operation: str, *, token: "_Token | None", **arguments: Any
    ) -> Any:
        transport = _BoundedTransport(self._limit_s)
        client = _new_client(
            definitions()[service], wsse=token, transport=transport, settings=zeep.Settings(**_STRICT)
        )
        binding = f"{{{SERVICES[service]['ns']}}}{SERVICES[service]['binding']}"
        try:
            return getattr(client.create_service(binding, url), operation)(**arguments)
        except exchange.ExchangeFailed as error:
            raise OnvifFailed("timeout" if error.is_timeout else "transport", str(error)) from error
        except Fault as error:
            raise _from_fault(self._host, operation, error) from error
        except OnvifFailed:
            raise
        except Exception as error:  # a hostile answer reaches any line of the parser
            raise OnvifFailed(
                "nonconformant", f"{self._host} answers {operation} with {type(error).__name__}"
            ) from error


def pinned(url: str, host: str, *, schemes: tuple[str, ...]) -> str:
    """The URL at `host` whatever host it names, without credentials. Raises OnvifFailed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OnvifFailed("nonconformant", f"{host} tells an address that is none") from error
    if parts.scheme not in schemes:
        raise OnvifFailed("nonconformant", f"{host} tells an address that is not {' or '.join(schemes)}")
    name = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{name}:{port}" if port else name, parts.path, parts.query, ""))


_definitions_lock = threading.Lock()


def definitions() -> Mapping[str, Any]:
    """The parsed WSDLs, read once per process: 0.1 s and 18 MB that every camera would cost otherwise."""
    with _definitions_lock:
        return _parse_definitions()


@functools.cache
def _parse_definitions() -> dict[str, Any]:
    folder, settings = wsdl_folder(), zeep.Settings(**_STRICT)
    return {
        name: _new_client(
            str(folder / SERVICES[name]["wsdl"]), transport=_LocalFiles(), settings=settings
        ).wsdl
        for name in ("devicemgmt", "media")
    }


def wsdl_folder() -> Path:
    """Where onvif-zeep's WSDLs are; it looks in one place only, which is wrong on Debian (its issue 13)."""
    beside = Path(onvif_zeep.__file__).parent.parent / "wsdl"
    files = importlib.metadata.files("onvif-zeep") or []
    listed = [Path(str(file.locate())).resolve().parent for file in files if file.name == "devicemgmt.wsdl"]
    for folder in (beside, *listed):
        if (folder / "devicemgmt.wsdl").is_file():
            return folder
    raise SiagaError("the WSDL files of onvif-zeep are missing; install it again with pip")


class _Token:
    """WS-UsernameToken with a stamp of its own per request, in the camera's time, ending in Z."""

    def __init__(self, user: str, password: str, now: Callable[[], datetime]) -> None:
        self._user, self._password, self._now = user, password, now

    def apply(self, envelope: Any, headers: Any) -> Any:
        token = _new_token(
            self._user, self._password, use_digest=True, created=self._now(), zulu_timestamp=True
        )
        return token.apply(envelope, headers)

    def verify(self, envelope: Any) -> None:
        """Replies are not signed."""


class _LocalFiles:
    """What zeep asks of a transport to read WSDLs: from disk, nothing from the network."""

    def load(self, url: str) -> bytes:
        if "://" in url and not url.startswith("file://"):
            raise SiagaError(f"a WSDL wants to be fetched from {url}; only local ones are used")
        return Path(url.removeprefix("file://")).read_bytes()


class _BoundedTransport(_LocalFiles):
    """Posts through exchange.post. The answer is always read as one XML document, never as multipart."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    def post_xml(self, address: str, envelope: Any, headers: Mapping[str, str]) -> "_Response":
        reply = exchange.post(address, _to_bytes(envelope), headers, limit_s=self._limit_s)
        if reply.status == 401:
            raise OnvifFailed("auth", f"{urlsplit(address).hostname} refuses the user or the password")
        return _Response(reply.status, reply.content)


class _Response:
    encoding = "utf-8"

    def __init__(self, status: int, content: bytes) -> None:
        self.status_code, self.content = status, content
        self.headers = {"Content-Type": "application/soap+xml"}


def _from_fault(host: str, operation: str, fault: Fault) -> OnvifFailed:
    words = {code.localname for code in (fault.subcodes or []) if hasattr(code, "localname")}
    if words & _REFUSALS:
        return OnvifFailed("auth", f"{host} refuses the user, the password or the time stamp at {operation}")
    if words & _MISSING:
        return OnvifFailed("unsupported", f"{host} does not know {operation}")
    return OnvifFailed("device_fault", f"{host} fails at {operation}: {_short(fault.message)}")


def _short(value: Any, most: int = 64) -> str:
    """Text from a device, printable and short enough for a record."""
    text = "" if value is None else str(value)
    return "".join(character for character in text if character.isprintable())[:most].strip()
