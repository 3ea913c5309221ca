"""What can be made to go wrong, at run time, through the control socket."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Fraction = Annotated[float, Meta(ge=0, le=1)]
LineName = Literal["clean", "slow", "lossy", "one-byte", "garbage"]


class Faults(Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything off by default."""

    drop_cmti: Fraction = 0.0  # of all +CMTI: never said, though the message is stored
    cmti_inside: Fraction = 0.0  # of all +CMTI: said between the lines of the next command's answer
    delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0  # before each command is carried out
    garbage: Fraction = 0.0  # of all lines: preceded by bytes that are no text
    split_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0  # each line comes in two pieces, so far apart
    late_clip_ms: Annotated[int, Meta(ge=0, le=30_000)] = 0  # between RING and its +CLIP
    withhold: bool = False  # every caller hides the number
    ucs2_clip: bool = False  # the number in +CLIP comes as UCS-2 hex although the character set is GSM
    send_code: Annotated[int, Meta(ge=0, le=999)] = 0  # +CMS ERROR of the next `send_count` AT+CMGS
    send_count: Annotated[int, Meta(ge=0)] = 0
    send_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0  # more between Ctrl-Z and the network's answer
    send_aborts: bool = False  # any octet that comes meanwhile aborts the text (Fibocom G510 manual, +CMGS)
    send_aside: bool = False  # what is asked meanwhile is answered at once, the result comes when it comes
    mute: str = ""  # commands of this name get no answer, `mute_count` times (CMGL on old Huawei firmware)
    mute_count: Annotated[int, Meta(ge=0)] = 0
    fail: str = ""  # commands of this name end in an error, `fail_count` times
    fail_code: Annotated[int, Meta(ge=0, le=999)] = 100
    fail_count: Annotated[int, Meta(ge=0)] = 0
    unlisted: Annotated[int, Meta(ge=0)] = 0  # what lies in this slot is counted, and in no listing
    direct: Literal["none", "flash", "all"] = "none"  # handed over (+CMT) and not stored, whatever +CNMI says
    stored_service: Annotated[int, Meta(ge=0, le=1)] = (
        0  # +CSMS after the next power-on: 1 wants each +CMT confirmed
    )
    stored_text_mode: bool = False  # +CMGF=1 after the next power-on
    stored_s0: Annotated[int, Meta(ge=0, le=255)] = 0  # S0 after the next power-on: rings until it answers
    report: Literal["delivered", "failed", "none"] = "delivered"  # what comes of a sent message by itself
    report_after_ms: Annotated[int, Meta(ge=0)] = 300
    # Of a call's sound: never flows; mode 1 is not read back; the node hears silence, is not heard, hears
    # itself; sound only in the first call after AT+CRESET (callpilot issue 121).
    pcm: Literal["", "never", "refused", "deaf", "dumb", "echo", "second_dead"] = ""
    expired: bool = False  # the SIM is past its term: texts are accepted, and none of them arrives
    csq: Annotated[int, Meta(ge=0, le=99)] = 18
    registered: Annotated[int, Meta(ge=0, le=5)] = 1  # <stat> of +CREG
