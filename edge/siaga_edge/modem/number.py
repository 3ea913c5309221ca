"""Phone numbers as Indonesia writes them, to E.164. Pure."""

import re

# International prefixes in use from Indonesia (Permenkominfo 14/2018 numbering plan); longest first.
_IDD = ("01017", "001", "007", "008", "017", "00")
_E164 = re.compile(r"\+[1-9]\d{7,14}\Z")
SHORT_CODE_MOST = 6


def to_e164(address: str | None) -> str | None:
    """Return `address` as E.164, None for short codes, names and what is no subscriber's number.

    `0812…`, `62812…`, `812…`, `0778…` and `00162812…` are Indonesian ways of writing one; `+0812…` is what
    some software makes of a national number.
    """
    if not address:
        return None
    digits = re.sub(r"[\s().-]", "", address)
    plus = digits.startswith("+")
    digits = digits.lstrip("+")
    if not digits.isdecimal() or len(digits) <= SHORT_CODE_MOST:
        return None
    number = f"+{digits}" if plus and not digits.startswith("0") else _national(digits)
    return number if _E164.match(number) else None


def _national(digits: str) -> str:
    for prefix in _IDD:
        if digits.startswith(prefix) and len(digits) > len(prefix) + 7:
            return f"+{digits[len(prefix) :]}"
    if digits.startswith("0"):
        return f"+62{digits[1:]}"
    if digits.startswith("8"):
        return f"+62{digits}"
    return f"+{digits}"
