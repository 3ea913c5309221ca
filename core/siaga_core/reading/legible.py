"""A text as it may be shown: what turns or hides other letters is made visible. Pure."""

import re

# Controls but tab and line ends, what orders letters from right to left (UAX #9 §2: marks, embeddings,
# overrides, isolates), and what has no width. Joiners of scripts and of emoji, U+200C and U+200D, stay.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def legible(text: str) -> str:
    """`text` with each such letter as `⟦U+202E⟧`; what is kept of a citizen's words stays as it came."""
    return _UNSEEN.sub(lambda found: f"⟦U+{ord(found[0]):04X}⟧", text)
