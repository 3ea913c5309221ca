"""The node's config as the role writes it: read by the node itself, with what the inventory says in it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml  # type: ignore[import-untyped]

from siaga_core.service.config import ConfigError
from siaga_edge import node

ROLE = Path(__file__).parents[2] / "ansible/roles/node"
NAMED = {"siaga_node_id": "gsm-001", "siaga_site": "GSM-001", "siaga_hub_host": "hub.example"}


def written(folder: Path, inventory: str = "") -> node.NodeConfig:
    values = yaml.safe_load((ROLE / "defaults/main.yml").read_text()) | NAMED
    environment: Any = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["to_json"] = json.dumps
    source = (ROLE / "templates/node.toml.j2").read_text()
    path = folder / "node.toml"
    path.write_text(environment.from_string(source).render(**values | (yaml.safe_load(inventory) or {})))
    return node.load(path)


def test_the_defaults_of_the_role_are_a_config_of_a_node(tmp_path: Path) -> None:
    assert written(tmp_path).services == ("health", "uplink")


def test_two_modems_have_what_the_inventory_says_of_each(tmp_path: Path) -> None:
    loaded = written(
        tmp_path,
        """
        siaga_services: [modem, modemb]
        siaga_modem:
          number: "+6281234567890"
          loop_to: "+6285712345678"
          balance_least: 5000
          sim_expires: 2027-01-31
        siaga_modemb:
          number: "+6285712345678"
          balance_code: "*888#"
          audio_port: /dev/siaga-modemb-audio
          answer: true
          prompt_file: /etc/siaga/prompt.wav
        siaga_modemb_pin: "0123"
        """,
    )
    assert loaded.modem is not None
    assert loaded.modemb is not None
    assert (loaded.modem.number, loaded.modem.loop_to) == ("+6281234567890", loaded.modemb.number)
    assert (loaded.modem.balance_least, loaded.modem.sim_expires) == (5000, date(2027, 1, 31))
    assert (loaded.modem.pin_file, loaded.modemb.pin_file) == (None, Path("/etc/siaga/modemb.pin"))
    assert (loaded.modemb.answer, loaded.modemb.balance_code) == (True, "*888#")


def test_a_key_that_no_modem_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="loop_two"):
        written(tmp_path, 'siaga_services: [modem]\nsiaga_modem: {loop_two: "+6281234567890"}')
