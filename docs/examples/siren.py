"""A siren for the control room: sounds while a P1 alert stands that nobody has acknowledged.

    siren.py --host HUB --ca hub-ca.pem --client rina-siren --password-file siren.pass --pin 17

steady   a P1 that nobody has acknowledged, or an alert that cannot be read; also while the link is lost
beeps    1 s in 5: no word of the hub for `--lost` seconds. It fails loud: silence means that all is well,
         so a siren that cannot know must say so. Look at the console, then at the network.
silent   connected, and every P1 is acknowledged or over

Needs paho-mqtt 2 and gpiozero 2; on another machine than a Raspberry Pi set GPIOZERO_PIN_FACTORY.
"""

import argparse
import json
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import paho.mqtt.client as paho
from gpiozero import Buzzer
from paho.mqtt.enums import CallbackAPIVersion

KEEPALIVE_S = 10  # a link that is dead without a word is noticed after two of these (measured: 20 s)
ALERTS = "siaga/v1/alert/+"


def pattern(alerts: Mapping[str, bytes], lost_s: float, most_lost_s: float) -> str:
    """What to sound: `alerts` by topic as they came last, `lost_s` seconds since the link was up."""
    if any(is_waiting(payload) for payload in alerts.values()):
        return "steady"
    return "beeps" if lost_s >= most_lost_s else "silent"


def is_waiting(payload: bytes) -> bool:
    """Whether this alert is a P1 that nobody has acknowledged; what cannot be read counts as one."""
    try:
        alert = json.loads(payload)
        return bool(alert["priority"] == "P1" and not alert.get("acknowledged_by"))
    except (ValueError, TypeError, KeyError, RecursionError):
        return True


class Listener:
    """What the hub last said. paho's thread writes; the siren's loop reads copies."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._lock, self._alerts, self._up_s = threading.Lock(), dict[str, bytes](), time.monotonic()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, options.client, protocol=paho.MQTTv5)
        self.client.username_pw_set(options.client, options.password_file.read_text().strip())
        self.client.tls_set(str(options.ca))
        self.client.reconnect_delay_set(1, 5)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message
        self.client.connect_async(options.host, options.port, KEEPALIVE_S)

    def now(self) -> tuple[dict[str, bytes], float]:
        """(alerts, seconds since the link was up)."""
        with self._lock:
            if self.client.is_connected():
                self._up_s = time.monotonic()
            return dict(self._alerts), time.monotonic() - self._up_s

    def _on_connect(
        self, client: paho.Client, _user: object, _flags: object, reason: object, _p: object
    ) -> None:
        if not getattr(reason, "is_failure", True):
            with self._lock:
                self._alerts.clear()  # the retained ones follow now; what was cleared meanwhile does not
            # Not after the broker has confirmed it: alerts may come before that (MQTT 5.0, 3.8.4).
            client.subscribe(ALERTS, qos=1)

    def _on_message(self, _client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        with self._lock:
            self._alerts[message.topic] = bytes(message.payload)
            if not message.payload:
                del self._alerts[message.topic]


def main() -> None:
    """Listen and sound until asked to stop."""
    parser = argparse.ArgumentParser(description="sounds while a P1 alert is unacknowledged")
    for name in ("host", "client"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("ca", "password-file"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--port", type=int, default=8884)
    parser.add_argument("--pin", type=int, default=17, help="GPIO of the relay, BCM (%(default)s)")
    parser.add_argument("--lost", type=float, default=30.0, help="seconds without link until it beeps")
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    listener, sounding = Listener(options), "silent"
    sounds = Buzzer(options.pin)
    listener.client.loop_start()
    while not stop.wait(0.1):
        alerts, lost_s = listener.now()
        wanted = pattern(alerts, lost_s, options.lost)
        if wanted != sounding:
            {"steady": sounds.on, "beeps": lambda: sounds.beep(1, 4), "silent": sounds.off}[wanted]()
            sounding = wanted
            print(wanted, flush=True)
    listener.client.disconnect()
    sounds.close()


if __name__ == "__main__":
    main()
