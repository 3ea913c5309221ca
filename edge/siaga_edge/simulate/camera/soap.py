"""What the simulated ONVIF device understands and says: SOAP 1.2 in, SOAP 1.2 out, no network."""

import base64
import hashlib
import hmac
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, MutableSet
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_MOST_SKEW_S = 300  # WS-Security UsernameToken Profile 1.0 §3.1 recommends five minutes

PRE_AUTH = frozenset({"GetSystemDateAndTime", "GetCapabilities", "GetServices"})  # ONVIF Core §5.9.4.3


@dataclass(frozen=True, slots=True)
class Token:
    """A UsernameToken as it came."""

    username: str
    digest: str
    nonce: bytes
    created: str


@dataclass(frozen=True, slots=True)
class Call:
    """One operation asked of the device."""

    operation: str
    token: Token | None


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses that the device gives out."""

    device: str
    media: str
    rtsp: str


def parse(body: bytes) -> Call:
    """Return what an envelope asks for. Raises ValueError."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - a simulator on loopback; expat expands no files
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    asked = root.find(f"{{{SOAP}}}Body/*")
    if asked is None:
        raise ValueError("no SOAP 1.2 body")
    return Call(asked.tag.rpartition("}")[2], _token(root))


def _token(root: ElementTree.Element) -> Token | None:
    found = root.find(f"{{{SOAP}}}Header/{{{_WSSE}}}Security/{{{_WSSE}}}UsernameToken")
    if found is None:
        return None
    password = found.find(f"{{{_WSSE}}}Password")
    if password is None or password.get("Type") != _DIGEST:
        return None
    return Token(
        username=found.findtext(f"{{{_WSSE}}}Username", ""),
        digest=(password.text or "").strip(),
        nonce=base64.b64decode(found.findtext(f"{{{_WSSE}}}Nonce", "")),
        created=found.findtext(f"{{{_WSU}}}Created", "").strip(),
    )


def is_genuine(token: Token | None, user: str, password: str, now_s: float, seen: MutableSet[bytes]) -> bool:
    """Whether the token proves the password, was made within five minutes of `now_s`, and is new.

    Like firmwares that know no other form, it wants a Zulu stamp (`...Z`).
    """
    if token is None or token.username != user or token.nonce in seen or not token.created.endswith("Z"):
        return False
    try:
        created_s = datetime.fromisoformat(token.created).timestamp()
    except ValueError:
        return False
    secret = token.nonce + token.created.encode() + password.encode()
    proof = base64.b64encode(hashlib.sha1(secret, usedforsecurity=False).digest()).decode()
    if not hmac.compare_digest(proof, token.digest) or abs(created_s - now_s) > _MOST_SKEW_S:
        return False
    seen.add(token.nonce)
    return True


def answer(operation: str, place: Place, name: str, now_s: float) -> str | None:
    """Return the envelope that answers an operation; None for one that the device does not have."""
    makers: dict[str, Callable[[], str]] = {
        "GetSystemDateAndTime": lambda: _date_and_time(now_s),
        "GetDeviceInformation": lambda: _device_information(name),
        "GetCapabilities": lambda: _capabilities(place),
        "GetServices": lambda: _services(place),
        "GetProfiles": _profiles,
        "GetStreamUri": lambda: _media_uri("Stream", place.rtsp),
        "GetSnapshotUri": lambda: _media_uri("Snapshot", place.device.replace("device_service", "snapshot")),
    }
    maker = makers.get(operation)
    return envelope(maker()) if maker else None


def envelope(body: str) -> str:
    """A SOAP 1.2 envelope with the namespaces that the bodies here use."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" '
        'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
        'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
        'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def fault(subcode: str, reason: str) -> str:
    """A SOAP fault with an ONVIF subcode (ONVIF Core §5.8.2)."""
    return envelope(
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value>"
        f"<s:Subcode><s:Value>ter:{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escape(reason)}</s:Text></s:Reason></s:Fault>'
    )


def _date_and_time(now_s: float) -> str:
    now = datetime.fromtimestamp(now_s, UTC)
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>WIB-7</tt:TZ></tt:TimeZone>"
        f"<tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
        f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
        f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def _device_information(name: str) -> str:
    return (
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>Siaga</tds:Manufacturer>"
        "<tds:Model>Simulated camera</tds:Model><tds:FirmwareVersion>1.0.0</tds:FirmwareVersion>"
        f"<tds:SerialNumber>SIM-{escape(name)}</tds:SerialNumber><tds:HardwareId>none</tds:HardwareId>"
        "</tds:GetDeviceInformationResponse>"
    )


def _capabilities(place: Place) -> str:
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities>"
        f"<tt:Device><tt:XAddr>{escape(place.device)}</tt:XAddr></tt:Device>"
        f"<tt:Media><tt:XAddr>{escape(place.media)}</tt:XAddr><tt:StreamingCapabilities>"
        "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
        "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def _services(place: Place) -> str:
    listed = (("device", place.device), ("media", place.media))
    services = "".join(
        f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace>"
        f"<tds:XAddr>{escape(address)}</tds:XAddr><tds:Version><tt:Major>2</tt:Major>"
        "<tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
        for name, address in listed
    )
    return f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"


def _profiles() -> str:
    return (
        '<trt:GetProfilesResponse><trt:Profiles token="main" fixed="true"><tt:Name>main</tt:Name>'
        "</trt:Profiles></trt:GetProfilesResponse>"
    )


def _media_uri(kind: str, uri: str) -> str:
    return (
        f"<trt:Get{kind}UriResponse><trt:MediaUri><tt:Uri>{escape(uri)}</tt:Uri>"
        "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false"
        "</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        f"</trt:Get{kind}UriResponse>"
    )
