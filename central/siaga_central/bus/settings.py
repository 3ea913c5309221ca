"""What mosquitto is started with. Pure: text out, nothing written."""

from dataclasses import dataclass
from pathlib import Path

from siaga_core.wire.envelope import PAYLOAD_MAX_BYTES

# Above the hub's own bound: the hub sees, counts and shows what is too large; the broker cuts the rest.
MESSAGE_MOST_BYTES = 4 * PAYLOAD_MAX_BYTES

NODES_ACL = """\
# A node writes below its own name and reads what is said to it; the name is its certificate's CN.
user hub
topic readwrite siaga/v1/#

pattern write siaga/v1/up/%u/#
pattern read siaga/v1/down/%u/#
# What the hub says to all nodes. A topic line before any user line would be for nobody.
pattern read siaga/v1/down/all/#
"""

OPERATORS_ACL = """\
# Operators' own clients see alerts, and acknowledge in their own name; the name is their user name.
pattern read siaga/v1/alert/#
pattern write siaga/v1/ack/%u
pattern read siaga/v1/answer/%u
"""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker listens and what proves who is who."""

    folder: Path
    host: str
    port: int
    operator_port: int
    cutting_port: int
    ca_file: Path
    crl_file: Path
    certificate_file: Path
    key_file: Path
    run_as: str


def configuration(settings: BrokerSettings) -> str:
    """Return mosquitto.conf (mosquitto 2.0). No listener takes anybody without a proof."""
    folder = settings.folder
    tls = f"cafile {settings.ca_file}\ncertfile {settings.certificate_file}\nkeyfile {settings.key_file}"
    return f"""\
per_listener_settings true
user {settings.run_as}
persistence true
persistence_location {folder}/
autosave_interval 60
max_queued_messages 100000
max_inflight_messages 1000
message_size_limit {MESSAGE_MOST_BYTES}
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true

# Nodes and the hub itself: mutual TLS; certificate CN = user name = client id.
listener {settings.port} {settings.host}
allow_anonymous false
{tls}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
crlfile {settings.crl_file}
acl_file {folder}/nodes.acl

# Operators' own clients: TLS and a password; user name = client id, or one could take another's session.
listener {settings.operator_port} {settings.host}
allow_anonymous false
{tls}
tls_version tlsv1.2
use_username_as_clientid true
password_file {folder}/operators.passwd
acl_file {folder}/operators.acl

# The hub cuts a revoked node off by coming in under its client id: a new CRL alone leaves its connection up.
listener {settings.cutting_port} 127.0.0.1
allow_anonymous false
{tls}
tls_version tlsv1.2
password_file {folder}/cutting.passwd
acl_file {folder}/operators.acl
"""
