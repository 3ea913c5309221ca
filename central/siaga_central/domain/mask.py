"""Phone numbers where the whole one is nobody's business."""


def masked(number: str | None) -> str:
    """Return `+62…890` for `+6281234567890`; short codes stay, nothing stays nothing."""
    if not number:
        return ""
    return number if len(number) <= 6 else f"{number[:3]}…{number[-3:]}"
