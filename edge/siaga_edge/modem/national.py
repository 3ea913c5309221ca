"""National language shift tables of the GSM 7-bit alphabet (3GPP TS 23.038 Annex A). Pure data.

All thirteen languages of the standard: phones sold in Turkey, Latin America and India send by them. A message
that names another reads by the default tables, as §6.2.1.2 asks, and its header is kept. A code that a table
leaves free reads as a space.
"""

from siaga_core.wire.gsm7 import EXTENSION

TURKISH, SPANISH, PORTUGUESE = 1, 2, 3
BENGALI, GUJARATI, HINDI, KANNADA, MALAYALAM, ORIYA, PUNJABI, TAMIL, TELUGU, URDU = range(4, 14)


# The tables of nine scripts of India are one, counted from where the script begins in Unicode; each script
# lacks some letters. `..` is the place of a sign that all of them have there.
_INDIC = (  # noqa: SIM905 - ninety places are read as one row
    "01 02 03 05 06 07 08 09 0A 0B .. 0C 0D .. 0E 0F 10 11 12 13 14 15 16 17 18 19 1A .. 1B 1C 1D 1E"
    " .. .. 1F 20 21 22 23 24 .. .. 25 26 .. 27 .. 28 .. .. .. .. .. .. .. .. .. .. .. .. 29 2A 2B .."
    " 2C 2D 2E 2F 30 31 32 33 34 35 36 37 38 39 3C 3D 3E 3F 40 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D"
).split()
_SIGNS = iter("\n\r\x1b !)(,.0123456789:;?")
_INDIC_SIGNS = [next(_SIGNS) if place == ".." else "" for place in _INDIC]


def _indic(base: int, lacks: str, rest: str) -> str:
    """A.3.4 to A.3.12: `lacks` are the letters it has not, `rest` those before a and after z."""
    head = "".join(
        sign or (" " if place in lacks.split() else chr(base + int(place, 16)))
        for place, sign in zip(_INDIC, _INDIC_SIGNS, strict=True)
    )
    return f"{head}{rest[0]}abcdefghijklmnopqrstuvwxyz{rest[1:]}"


def _eastern(zero: int, further: str) -> dict[int, str]:
    """A.2.4 to A.2.13: the same signs in all, its digits, its further letters in their places."""
    table = dict(enumerate("@£$¥¿\"¤%&'\f*+"))
    table |= {0x0E: "-", 0x0F: "/"} | dict(enumerate("<=>¡^¡_#*", 0x10))
    table |= {0x1C + digit: chr(zero + digit) for digit in range(10)}
    table |= {0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
    table |= {0x41 + place: chr(ord("A") + place) for place in range(26)}
    return table | {place: sign for place, sign in zip(_FURTHER, further, strict=False) if sign != " "}


_FURTHER = (0x19, 0x1A, 0x26, 0x27, *range(0x2A, 0x2F), *range(0x30, 0x3C), 0x3F)

# A.3: the whole alphabet is another one. Spanish has no locking table.
LOCKING = {
    TURKISH: (
        "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ !\"#¤%&'()*+,-./0123456789:;<=>?İABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "ÄÖÑÜ§çabcdefghijklmnopqrstuvwxyzäöñüà"
    ),
    PORTUGUESE: (
        "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ !\"#º%&'()*+,-./0123456789:;<=>?ÍABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "ÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà"
    ),
    BENGALI: _indic(0x0980, "0D 0E 11 12 29 31 33 34 35 45 46 49 4A", "\u09ce\u09d7\u09dc\u09dd\u09f0\u09f1"),
    GUJARATI: _indic(0x0A80, "0E 12 29 31 34 46 4A", "\u0ad0\u0ae0\u0ae1\u0ae2\u0ae3\u0af1"),
    HINDI: _indic(0x0900, "", "\u0950\u0972\u097b\u097c\u097e\u097f"),
    KANNADA: _indic(0x0C80, "01 0D 11 29 34 45 49", "\u0cd5\u0cd6\u0ce0\u0ce1\u0ce2\u0ce3"),
    MALAYALAM: _indic(0x0D00, "01 0D 11 29 3C 45 49", "\u0d57\u0d60\u0d61\u0d62\u0d63\u0d79"),
    ORIYA: _indic(0x0B00, "0D 0E 11 12 29 31 34 45 46 49 4A", "\u0b56\u0b57\u0b60\u0b61\u0b62\u0b63"),
    PUNJABI: _indic(
        0x0A00,
        "0B 0C 0D 0E 11 12 29 31 34 37 3D 43 44 45 46 49 4A",
        "\u0a51\u0a70\u0a71\u0a72\u0a73\u0a74",
    ),
    TAMIL: _indic(
        0x0B80,
        "01 0B 0C 0D 11 16 17 18 1B 1D 20 21 22 25 26 27 2B 2C 2D 3C 3D 43 44 45 49",
        "\u0bd0\u0bd7\u0bf0\u0bf1\u0bf2\u0bf9",
    ),
    TELUGU: _indic(0x0C00, "0D 11 29 34 3C 45 49", "\u0c55\u0c56\u0c60\u0c61\u0c62\u0c63"),
    URDU: (
        "\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f\n\u0679\u067d\r\u067a\u067c"
        "\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f\x1b\u068c\u0688\u0689\u068a"
        " !\u068f\u068d\u0630\u0631\u0691\u0693)(\u0699\u0632,\u0696.\u06980123456789:;\u069a\u0633\u0634?"
        "\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1\u0644\u0645\u0646"
        "\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc\u06d0\u06d2\u064d\u0650\u064f\u0657"
        "\u0654abcdefghijklmnopqrstuvwxyz\u0655\u0651\u0653\u0656\u0670"
    ),
}

# A.2: what an escape makes of the next septet.
SINGLE = {
    TURKISH: EXTENSION | {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"},
    SPANISH: EXTENSION
    | {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
    PORTUGUESE: EXTENSION
    | {0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x15: "Ω"}
    | {0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú"}
    | {0x5B: "Ã", 0x5C: "Õ", 0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â"},
    # Bengali's digits begin two places earlier than the others'.
    BENGALI: _eastern(
        0x09E8,
        "\u09e6\u09e7\u09e1\u09e2\u09e3\u09f2\u09f3\u09f4\u09f5\u09f6\u09f7\u09f8\u09f9\u09fa",
    )
    | {0x24: "\u09df", 0x25: "\u09e0"},
    GUJARATI: _eastern(0x0AE6, "\u0964\u0965"),
    HINDI: _eastern(
        0x0966,
        "\u0964\u0965\u0951\u0952\u0953\u0954\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f\u0960\u0961"
        "\u0962\u0963\u0970\u0971",
    ),
    KANNADA: _eastern(0x0CE6, "\u0964\u0965\u0cde\u0cf1\u0cf2"),
    MALAYALAM: _eastern(
        0x0D66,
        "\u0964\u0965\u0d70\u0d71\u0d72\u0d73\u0d74\u0d75\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f",
    ),
    ORIYA: _eastern(0x0B66, "\u0964\u0965\u0b5c\u0b5d\u0b5f\u0b70\u0b71"),
    PUNJABI: _eastern(0x0A66, "\u0964\u0965\u0a59\u0a5a\u0a5b\u0a5c\u0a5e\u0a75"),
    TAMIL: _eastern(0x0BE6, "\u0964\u0965\u0bf3\u0bf4\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa"),
    TELUGU: _eastern(0x0C66, "  \u0c58\u0c59\u0c78\u0c79\u0c7a\u0c7b\u0c7c\u0c7d\u0c7e\u0c7f"),
    URDU: _eastern(
        0x06F0,
        "\u0600\u0601\u060c\u060d\u060e\u060f\u0610\u0611\u0612\u0613\u0614\u061b\u061f\u0640\u0652\u0658"
        "\u066b\u066c\u0672\u0673\u06cd\u06d4",
    ),
}
