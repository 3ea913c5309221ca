"""Phone numbers as Indonesia writes them, to E.164. Pure."""

import re

import phonenumbers

# International prefixes in use from Indonesia (Permenkominfo 14/2018 numbering plan); longest first.
_IDD = ("01017", "001", "007", "008", "017", "00")
_E164 = re.compile(r"\+[1-9]\d{7,14}\Z")
_HOME = "ID"
SHORT_CODE_MOST = 6


def to_e164(address: str | None) -> str | None:
    """Return `address` as E.164, None for short codes, names and what is no subscriber's number.

    `0812…`, `62812…`, `812…`, `0778…` and `00162812…` are Indonesian ways of writing one; `+0812…` is what
    some software makes of a national number. What the network itself gives as international is kept when the
    numbering plan of phonenumbers does not know it yet: its owner must stay one person, and reachable.
    """
    if not address:
        return None
    digits = re.sub(r"[\s().-]", "", address)
    plus = digits.startswith("+")
    digits = digits.lstrip("+")
    if not digits.isdecimal() or not digits.isascii() or len(digits) <= SHORT_CODE_MOST:
        return None
    if plus and not digits.startswith("0"):
        return _valid(f"+{digits}") or _shaped(f"+{digits}")
    if (abroad := _without_prefix(digits)) is not None:
        return _valid(f"+{abroad}")
    return _valid(digits)


def _without_prefix(digits: str) -> str | None:
    """What follows an international prefix; phonenumbers takes `0062812…` for a subscriber of Indonesia."""
    for prefix in _IDD:
        if digits.startswith(prefix) and len(digits) > len(prefix) + 7:
            return digits[len(prefix) :]
    return None


def _valid(written: str) -> str | None:
    """The number if some subscriber may have it: `is_possible_number` also takes 112 and 3338 for one."""
    try:
        number = phonenumbers.parse(written, _HOME)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _shaped(number: str) -> str | None:
    return number if _E164.match(number) else None
