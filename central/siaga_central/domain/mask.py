"""Phone numbers where the whole one is nobody's business."""

# Fewer hidden digits than this could be guessed by trying.
HIDDEN_LEAST = 4


def masked(number: str | None) -> str:
    """Return `+62…890` for `+6281234567890`; short codes stay, nothing stays nothing."""
    if not number or len(number) <= 6:
        return number or ""
    shown_last = min(3, len(number) - 3 - HIDDEN_LEAST)
    return f"{number[:3]}…{number[len(number) - shown_last :]}"
