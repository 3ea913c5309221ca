"""Texts the hub sends by itself: to a reporter whose report is being handled, and to duty phones. Pure."""

from collections.abc import Sequence

from siaga_core.wire.gsm7 import SINGLE_SEPTETS, clipped, septets, transliterated, with_codes

# To the reporter when an operator sets the incident being handled. Never a word of the report in it.
HANDLED = (
    "112 BATAM: Laporan Anda sedang ditangani petugas. Bila keadaan berubah, balas SMS ini."
    " Bila bisa, telepon 112."
)
# To a duty phone: no personal data (SOP XIII.1); the rest is asked for by phone.
DISPATCH = "SIAGA {code} {priority} {kind}{place}. {number}. Balas: TERIMA {code}, OTW, SELESAI"
# To try the way to a phone on duty. Nobody is to answer: what a phone says without an alert is a report.
TRIAL = "SIAGA: SMS uji dari pusat 112 untuk {name}. Tidak perlu dibalas. HP ini terdaftar sebagai HP jaga."
# To a phone on duty whose answer does not say which of its alerts it means; a node asks the same.
WHICH = "SIAGA: BELUM TERCATAT. Kode mana? {codes}. Balas TERIMA, OTW atau SELESAI dan satu kodenya."
# The node puts `(ulang) ` before an alert that may have been lost.
_AGAIN_SEPTETS = 8
KINDS = {
    "AMB": "gawat darurat medis",
    "SLM": "penyelamatan",
    "KBR": "kebakaran",
    "LKA": "kecelakaan",
    "KRM": "kriminal",
    "TRR": "terorisme",
    "BCN": "bencana",
    "HWN": "hewan berbahaya",
    "PHN": "pohon tumbang",
    "KON": "kerusakan bangunan",
    "NRK": "narkoba",
    "KDRT": "KDRT",
    "LAIN": "kejadian",
}


def dispatch(code: str, priority: str, category: str, place: str, number: str) -> str:
    """The text to a duty phone: one part, however long the place is."""
    kind = KINDS.get(category, KINDS["LAIN"])
    empty = DISPATCH.format(code=code, priority=priority, kind=kind, place="", number=number)
    room = SINGLE_SEPTETS - _AGAIN_SEPTETS - (septets(transliterated(empty)) or 0)
    where = clipped(f" di {place}", room) if place else ""
    return DISPATCH.format(code=code, priority=priority, kind=kind, place=where, number=number)


def which(codes: Sequence[str]) -> str:
    """The question for a code: one part, codes beyond it are counted."""
    return with_codes(WHICH, codes)


def trial(name: str) -> str:
    """The trial text to a phone on duty: one part, however long its name is."""
    room = SINGLE_SEPTETS - (septets(transliterated(TRIAL.format(name=""))) or 0)
    return transliterated(TRIAL.format(name=clipped(name, room)))
