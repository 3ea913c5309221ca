"""What an SMS is probably about: a suggestion for the operator, never a filter.

The lexicon is a working list that Batam's operators have to review. Unknown text is `LAIN`, P2: urgent
until somebody has read it.
"""

import re
from dataclasses import dataclass

DISTRICTS = (
    "Batam Kota",
    "Batu Aji",
    "Batu Ampar",
    "Belakang Padang",
    "Bengkong",
    "Bulang",
    "Galang",
    "Lubuk Baja",
    "Nongsa",
    "Sagulung",
    "Sei Beduk",
    "Sekupang",
)

# category -> priority, stems as they begin a folded word
_LEXICON: dict[str, tuple[str, tuple[str, ...]]] = {
    "KBR": ("P1", ("kebakar", "terbakar", "kbkrn", "kebkrn", "api", "asap", "korslet", "meledak", "ledakan")),
    "AMB": (
        "P1",
        ("ambulan", "pingsan", "sesak", "pendarah", "melahirkan", "stroke", "jantung", "keracun", "kritis"),
    ),
    "SLM": ("P1", ("tenggelam", "hanyut", "terjebak", "tertimbun", "terseret")),
    "LKA": ("P1", ("kecelaka", "laka", "tabrak", "nabrak", "terguling", "serempet")),
    "TRR": ("P1", ("bom", "teror")),
    "KDRT": ("P1", ("kdrt", "dipukul", "aniaya", "culik", "perkosa")),
    "KRM": ("P1", ("maling", "begal", "rampok", "curi", "jambret", "tawuran", "tikam", "bacok", "todong")),
    "BCN": ("P2", ("banjir", "longsor", "genang", "puting", "rob", "badai")),
    "PHN": ("P2", ("pohon",)),
    "HWN": ("P2", ("ular", "buaya", "monyet", "tawon", "biawak")),
    "KON": ("P2", ("roboh", "ambruk", "jembatan")),
    "NRK": ("P3", ("narkoba", "sabu", "ganja")),
}
_URGENT = ("tolong", "tlg", "help", "sos", "darurat", "korban", "meninggal", "sekarat")
_EXERCISE = ("tes", "test", "coba")
_FOLD = str.maketrans("01345$7", "oieasst")
# A full stop ends a place, but not behind an abbreviation: `di Jl. Raden Patah No. 4`.
_SHORT = r"\b(?:jl|jln|gg|no|kav|kel|kec|perum|dkt|dpn|rt|rw|km)\."
_PLACE = re.compile(
    r"\b(?:di|dkt|dekat|dpn|depan|samping|jl|jln|jalan|gg|gang|blok|perum|simpang|km)\b\.?\s+"
    rf"(?=[^\s,.;!?])(?:{_SHORT}|[^,.;!?\n]){{1,60}}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the hub makes of a text; an operator decides."""

    category: str
    priority: str
    place: str
    is_exercise: bool = False


def classify(text: str) -> Suggestion:
    """Return category, priority and place suggested by `text`; total, never suppresses anything."""
    words = [fold(word) for word in re.findall(r"[\w$]+", text)]
    category, priority = "LAIN", "P2"
    for code, (its_priority, stems) in _LEXICON.items():
        if any(_begins(word, stems) for word in words):
            category, priority = code, its_priority
            break
    urgent = any(word in _URGENT for word in words)
    if category != "LAIN" and urgent:
        priority = "P1"
    exercise = category == "LAIN" and not urgent and any(word in _EXERCISE for word in words)
    return Suggestion(category, "P4" if exercise else priority, place_in(text), exercise)


def place_in(text: str) -> str:
    """Return the place a text names: a district, what follows `jl`, `dekat`, …, both, or nothing."""
    folded = text.casefold()
    district = next((name for name in DISTRICTS if name.casefold() in folded), "")
    found = _PLACE.search(text)
    near = found.group(0).strip() if found else ""
    if district.casefold() in near.casefold():
        district = ""
    return ", ".join(part for part in (near, district) if part)


def _begins(word: str, stems: tuple[str, ...]) -> bool:
    # A short stem is a whole word: `api` is fire, `apik` is tidy; `rob` is a flood, `roboh` is not.
    return any(word == stem or (len(stem) > 4 and word.startswith(stem)) for stem in map(fold, stems))


def fold(word: str) -> str:
    """Lower case, digits for letters undone, letters not repeated: `KEB4KARRAN` → `kebakaran`."""
    lowered = word.casefold().translate(_FOLD)
    return re.sub(r"(.)\1+", r"\1", lowered)
