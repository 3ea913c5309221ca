"""The config of a node that records, as benchmarks and tests run it: no hub, and what is recorded here."""

from pathlib import Path

_NODE = """
[node]
id = "btm-017"
site = "BTM-017"
data_dir = "{data}"
run_dir = "{run}"
[hub]
broker_host = "127.0.0.1"
gateway_url = "https://127.0.0.1"
ca_file = "x"
certificate_file = "x"
key_file = "x"
[recorder]
footage_dir = "{footage}"
segment_s = {segment_s}
free_reserve_bytes = 1000000
"""


def write(
    path: Path, data: Path, run: Path, footage: Path, cameras: str, *, segment_s: float, more: str = ""
) -> None:
    """Write it to `path`. `cameras` are tables, `more` keys of `[recorder]`."""
    text = _NODE.format(data=data, run=run, footage=footage, segment_s=segment_s)
    path.write_text(f"{text}{more}\n{cameras}")


def camera_table(name: str, url: str, more: str = "") -> str:
    """One `[[cameras]]` table; `more` are keys of it."""
    return f'[[cameras]]\nid = "{name}"\nrtsp_url = "{url}"\n{more}'
