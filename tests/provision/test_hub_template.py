"""The hub's config as the role writes it: read by the hub itself, with what the inventory says in it."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml  # type: ignore[import-untyped]

from siaga_central import hub
from siaga_core.service.config import ConfigError

ROLE = Path(__file__).parents[2] / "ansible/roles/hub"


def written(folder: Path, **inventory: Any) -> Path:
    values = yaml.safe_load((ROLE / "defaults/main.yml").read_text()) | inventory
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["to_json"] = json.dumps
    text = environment.from_string((ROLE / "templates/hub.toml.j2").read_text()).render(**values)
    path = folder / "hub.toml"
    path.write_text(text)
    return path


def test_the_defaults_of_the_role_are_a_config_of_the_hub(tmp_path: Path) -> None:
    loaded = hub.load(written(tmp_path))
    assert (loaded.city.name, loaded.city.instead) == ("Batam", "")


def test_what_citizens_are_told_to_call_comes_from_the_inventory(tmp_path: Path) -> None:
    instead = '110 "polisi", 0778-113 damkar é'
    assert hub.load(written(tmp_path, siaga_city_instead=instead)).city.instead == instead
    with pytest.raises(ConfigError, match="instead"):
        hub.load(written(tmp_path, siaga_city_instead="x" * 61))
