"""A configuration error names file, key and reason."""

from pathlib import Path

import pytest

from siaga_core.service.config import ConfigError
from siaga_edge import node

GOOD = """
[node]
id = "btm-017"
site = "BTM-017"
[hub]
broker_host = "hub.example"
gateway_url = "https://hub.example:8443"
ca_file = "/etc/siaga/ca.pem"
certificate_file = "/var/lib/siaga/node.pem"
key_file = "/var/lib/siaga/node.key"
"""


def loaded(tmp_path: Path, text: str) -> node.NodeConfig:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return node.load(path)


def test_a_minimal_node_runs_only_the_uplink(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).services == ("uplink",)


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        (GOOD + '[modem]\nprt = "/dev/x"\n', "modem.prt", "is not a key of this file"),
        (GOOD + "[modem]\n", "modem.port", "is missing"),
        (GOOD + '[modem]\nport = "/dev/x"\nbaud = "fast"\n', "modem.baud", "Expected `int`, got `str`"),
        (GOOD.replace("btm-017", "BTM 17"), "node.id", "use 3 to 40"),
        (GOOD + '[recorder]\nfootage_dir = "/f"\n', "cameras", "at least one"),
        (GOOD + "[[cameras]]\n", "cameras[0].id", "is missing"),
        ("[node", "", "is not TOML"),
        (GOOD + '[[cameras]]\nid="cam-a"\nrtsp_url="rtsp://x"\n' * 2, "cameras[1].id", "named twice"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert caught.value.key == key
    assert why in caught.value.why
    assert str(tmp_path / "node.toml") in str(caught.value)


def test_a_missing_file_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name it with --config"):
        node.load(tmp_path / "none.toml")
