"""Every word of the console is in the Indonesian catalogue, and the catalogue says nothing else."""

from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import siaga_central.console as console

_HOME = Path(console.__file__).parent
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "N_": None, "gettext": None}


def said() -> set[str]:
    found = extract_from_dir(_HOME, _METHODS, keywords=_KEYWORDS)
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_the_indonesian_catalogue_is_complete_and_has_nothing_left_over() -> None:
    with (_HOME / "locale/id/LC_MESSAGES/console.po").open("rb") as stream:
        translated = {message.id for message in read_po(stream) if message.id and message.string}
    messages = said()
    assert len(messages) > 150
    assert messages - translated == set()
    assert translated - messages == set()
