"""libgammu's reader of SMS, as a second opinion that knows nothing of us.

Its structure is not declared anywhere here: where number, text, header and time lie is found by having it
read a message whose content is known.
"""

import ctypes
import ctypes.util
import struct
from dataclasses import dataclass
from functools import cache

_ROOM = 1 << 17
_DELIVER = 1
# From +6281234567890 at 2031-10-29 13:17:58 +07:00: header 05 00 03 CC 02 01, ten septets `aaaaaaaaaa`.
_KNOWN = "00440D91261832547698F000001301923171858211050003CC0201C2E170381C0E87C361"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What gammu reads: number, octets of the header, text, and (offset in s, s, m, h, day, month, year)."""

    number: str
    header: bytes
    text: str
    time: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class _Places:
    header: int
    number: int
    text: int
    time: int
    length: int


@cache
def library() -> ctypes.CDLL | None:
    """The library, None where it is not installed."""
    found = ctypes.util.find_library("Gammu")
    return ctypes.CDLL(found) if found else None


def read(octets: bytes) -> Opinion | None:
    """What gammu makes of an SMS-DELIVER with its SMSC address; None if it refuses."""
    memory = _decoded(octets)
    if memory is None:
        return None
    places = _places()
    (length,) = struct.unpack_from("<i", memory, places.length)
    return Opinion(
        _wide(memory, places.number),
        bytes(memory[places.header : places.header + 1 + memory[places.header]]),
        _wide(memory, places.text),
        struct.unpack_from("<7i", memory, places.time),
        bytes(memory[places.text : places.text + max(0, length)]),
    )


def _decoded(octets: bytes) -> bytes | None:
    gammu = library()
    assert gammu is not None
    memory = ctypes.create_string_buffer(_ROOM)
    end = ctypes.c_size_t(0)
    gammu.GSM_GetGlobalDebug.restype = ctypes.c_void_p
    debug = ctypes.c_void_p(gammu.GSM_GetGlobalDebug())
    source = ctypes.create_string_buffer(octets + b"\0" * 300, len(octets) + 300)
    code = gammu.GSM_DecodePDUFrame(
        debug, memory, source, ctypes.c_size_t(len(octets)), ctypes.byref(end), ctypes.c_int(1)
    )
    return memory.raw if code == 1 else None  # ERR_NONE


@cache
def _places() -> _Places:
    memory = _decoded(bytes.fromhex(_KNOWN))
    assert memory is not None, "gammu refuses the message whose content is known"
    text = memory.index("aaaaaaaaaa".encode("utf-16-be"))
    return _Places(
        header=memory.index(bytes.fromhex("050003CC0201")),
        number=memory.index("+6281234567890".encode("utf-16-be")),
        text=text,
        time=memory.index(struct.pack("<6i", 58, 17, 13, 29, 10, 2031)) - 4,
        length=memory.rindex(struct.pack("<i", 10), 0, text),
    )


def _wide(memory: bytes, at: int) -> str:
    end = at
    while memory[end : end + 2] != b"\0\0":
        end += 2
    return memory[at:end].decode("utf-16-be", "replace")
