"""Somebody with a node's certificate who says what no honest node would."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from demo.city import City
from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_core.service.signing import Signer
from siaga_core.wire.envelope import PAYLOAD_MAX_BYTES

KNOWN, UNKNOWN = "uji-001", "hantu-001"
REASONS = ("topic", "oversized", "seal", "json", "version", "forged", "unknown-node")


class Intruder:
    """Two identities: one in the registry, one that the authority signed and nobody registered."""

    def __init__(self, city: City) -> None:
        self._city = city
        city.write_config(KNOWN)
        city.claim(KNOWN, "BTM-017")
        home = city.folder / KNOWN
        self._files = {KNOWN: (home / "node.pem", home / "node.key"), UNKNOWN: self._identity(UNKNOWN)}
        self._signer = Signer.load(home / "node.key")

    def send_everything_bad(self) -> None:
        """One message for each of REASONS."""
        record = f"siaga/v1/up/{KNOWN}/rec/modem.urgent"
        self._publish(KNOWN, f"siaga/v1/up/{KNOWN}/omong-kosong", b"{}")
        self._publish(KNOWN, record, b"x" * (PAYLOAD_MAX_BYTES + 1))
        self._publish(KNOWN, record, b'{"v": 1}')
        self._publish(KNOWN, record, self._signer.seal(record, b"{bukan json"))
        self._publish(KNOWN, record, self._signer.seal(record, b'{"v": 99}'))
        self._publish(KNOWN, record, self._signer.seal(record.replace("modem", "health"), b"{}"))
        self._publish(UNKNOWN, f"siaga/v1/up/{UNKNOWN}/rec/modem.urgent", b'{"v": 1}')

    def _identity(self, node: str) -> tuple[Path, Path]:
        key = new_key()
        issued = Authority(self._city.folder / "hub" / "authority").issue_node(
            node, key.public_key(), datetime.now(UTC)
        )
        certificate, key_file = self._city.folder / f"{node}.pem", self._city.folder / f"{node}.key"
        certificate.write_text(issued.certificate_pem + issued.chain_pem)
        key_file.write_bytes(key_pem(key))
        return certificate, key_file

    def _publish(self, node: str, topic: str, payload: bytes) -> None:
        certificate, key_file = self._files[node]
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self._city.ports.broker), "-V", "mqttv5"]
        command += ["--cafile", str(self._city.ca_file), "--cert", str(certificate), "--key", str(key_file)]
        subprocess.run([*command, "-q", "1", "-i", node, "-t", topic, "-s"], input=payload, check=True)
