"""The hub's config: one TOML file from which every part of the hub reads."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from siaga_core.service import config
from siaga_core.service.config import ConfigError
from siaga_core.wire.ids import BadId, node_id

LOOPBACK = ("127.0.0.1", "::1", "localhost")
Port = Annotated[int, Meta(ge=1, le=65535)]


class Base(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[hub]`: where it keeps things."""

    data_dir: Path = Path("/var/lib/siaga-central")
    media_dir: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # A P1 sounds the siren of these nodes.
    siren_nodes: list[str] = field(default_factory=list)


class Listener(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[console]`: where operators' browsers come."""

    host: str = "127.0.0.1"
    port: Port = 8080
    # HTTPS; without it only this machine may be served, for a proxy or a demonstration on it.
    tls: bool = True
    # The city's own certificate. Without it the hub's authority makes one for `names` (default: the
    # gateway's); browsers then need ca.pem.
    certificate_file: Path | None = None
    key_file: Path | None = None
    names: list[str] = field(default_factory=list)
    # False only where a browser speaks plain HTTP to this machine itself.
    secure_cookies: bool = True

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}"


class Gateway(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[gateway]`: where nodes come by HTTPS; `names` go into the server's certificate."""

    host: str = "0.0.0.0"  # noqa: S104 - nodes are elsewhere; every request but a claim shows its certificate
    port: Port = 8443
    names: list[str] = field(default_factory=lambda: ["localhost"])


class Broker(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[broker]`: mosquitto's two listeners: nodes by mTLS, operators' own clients by password over TLS."""

    host: str = "0.0.0.0"  # noqa: S104 - as above
    port: Port = 8883
    operator_port: Port = 8884
    # On loopback alone, for the hub itself: by this it ends a revoked node's open connection.
    cutting_port: Port = 8885
    program: str = "mosquitto"


class Backup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[backup]`: the second place, on another machine or disk; nothing is shipped without it."""

    folder: Path
    # Of `siaga-central backup key`; the secret half is kept where the hub is not.
    public_key: str


class City(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[city]`: what the screens say and where its middle is."""

    name: str = "Batam"
    latitude: float = 1.1301
    longitude: float = 104.0529
    # What a citizen is told to call when nobody can read a text, e.g. "110 polisi, 113 damkar, 119 medis".
    instead: Annotated[str, Meta(max_length=60)] = ""


class HubConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file; every section has its defaults."""

    hub: Base = field(default_factory=Base)
    console: Listener = field(default_factory=Listener)
    gateway: Gateway = field(default_factory=Gateway)
    broker: Broker = field(default_factory=Broker)
    city: City = field(default_factory=City)
    backup: Backup | None = None

    @property
    def database_url(self) -> str:
        """Where the store is."""
        return f"sqlite:///{self.hub.data_dir / 'hub.db'}"

    @property
    def media_dir(self) -> Path:
        """Pictures and clips."""
        return self.hub.media_dir or self.hub.data_dir / "media"

    @property
    def authority_dir(self) -> Path:
        """Keys and certificates."""
        return self.hub.data_dir / "authority"

    @property
    def broker_dir(self) -> Path:
        """What mosquitto is started with, and what it keeps."""
        return self.hub.data_dir / "broker"


def load(path: Path) -> HubConfig:
    """Read the hub's config. Raises ConfigError naming file, key and reason."""
    loaded = config.load(path, HubConfig)
    for index, name in enumerate(loaded.hub.siren_nodes):
        try:
            node_id(name)
        except BadId as error:
            raise ConfigError(path, f"hub.siren_nodes[{index}]", str(error)) from error
    if not loaded.console.tls and loaded.console.host not in LOOPBACK:
        raise ConfigError(path, "console.tls", f"must be true to listen on {loaded.console.host}")
    if (loaded.console.certificate_file is None) != (loaded.console.key_file is None):
        raise ConfigError(path, "console.key_file", "and certificate_file belong together; give both or none")
    return loaded
