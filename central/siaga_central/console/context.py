"""What every page of the console stands on: store, settings, clock and templates."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from siaga_central.console import reasons, refusal, terms, wording
from siaga_central.store.writer import Store
from siaga_core.reading.legible import legible
from siaga_core.service.clock import Clock

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How this console is set up. Without `secure_cookies` sessions also travel over plain HTTP (demo)."""

    media_dir: Path
    secure_cookies: bool = True
    city_latitude: float = 1.1301  # Batam Centre
    city_longitude: float = 104.0529
    session_s: int = 8 * 3600
    picture_interval_s: int = 60  # a last picture older than twice this is shown as stale
    banner: str = ""
    instead: str = ""  # what a citizen is told to call when nobody can read a text; goes with the roster


class Console:
    """One console's parts; templates are made once per language."""

    def __init__(self, store: Store, settings: ConsoleSettings, clock: Clock) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self._environments = {language: _environment(language, self) for language in wording.LANGUAGES}

    def now_us(self) -> int:
        """Unix microseconds UTC."""
        return self.clock.wall_ns() // 1000

    def render(self, template: str, language: str, **values: Any) -> str:
        """The template's text in `language`."""
        made = self._environments[language].get_template(template)
        return made.render(now_us=self.now_us(), **values)

    def translate(self, message: str, language: str) -> str:
        """One message in `language`."""
        return str(self._environments[language].globals["_"](message))  # type: ignore[operator]


def console_of(request: Request) -> Console:
    """The console a request came to."""
    console: Console = request.app.state.console
    return console


def _legible(value: Any) -> Any:
    """Whatever a template writes: no citizen's letter turns or hides what stands beside it."""
    return type(value)(legible(value)) if isinstance(value, str) else value


def _environment(language: str, console: Console) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_legible,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    translations = wording.catalogue(language)
    made.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    say = translations.gettext
    made.globals.update(
        _=say,
        language=language,
        settings=console.settings,
        categories=terms.CATEGORIES,
        priorities=terms.PRIORITIES,
        marks=terms.MARKS,
        coordinates=wording.coordinates,
    )
    made.filters.update(
        age=lambda since_us, now_us: wording.age(since_us, now_us, say),
        clock_time=wording.clock_time,
        bound=lambda error_ns: wording.bound(error_ns, say),
        distance=wording.distance,
        day=wording.day,
        moment=wording.moment,
        lasting=lambda seconds: wording.lasting(seconds, say),
        happened=lambda made: wording.happened(made.low_ns, made.high_ns, say),
        form_moment=wording.form_moment,
        masked=wording.masked,
        size=wording.size,
        word=lambda key: say(terms.WORDS.get(key) or key),
        worded=lambda text: reasons.worded(text, say),
        code=lambda text: reasons.code(text, say),
        refused=lambda reason: say(refusal.REASONS.get(reason) or reason),
        category=lambda code: say(terms.CATEGORIES.get(code) or code),
        from_json=json.loads,
    )
    return made
