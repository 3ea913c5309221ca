"""The hub's tables, one set for SQLite and PostgreSQL. Truth is `event`; the rest can be rebuilt from it.

Times are Unix microseconds UTC in columns named `*_us`; bodies are JSON text.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes an INTEGER PRIMARY KEY its row id; BIGINT would be an ordinary column there.
_serial = BigInteger().with_variant(Integer, "sqlite")

event = Table(
    "event",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(64), nullable=False),  # incident id, node id, camera id, user name, ...
    Column("actor", String(64), nullable=False),  # user name, `node:<id>` or `hub`
    Column("body", Text, nullable=False),
    Index(None, "subject", "seq"),
)

record = Table(
    "record",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Index(None, "kind", "received_us"),
)

mark = Table(
    "mark",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("upto", BigInteger, nullable=False),
)

# Numbers of a stream that its node has declared gone: samples it had to shed, or what a damaged card lost.
gap = Table(
    "gap",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("declared_us", BigInteger, nullable=False),
)

# Each life of this database: a new one begins when it is made and when it is restored from a backup.
generation = Table(
    "generation",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("name", String(26), nullable=False),
    Column("since_us", BigInteger, nullable=False),
)

# Desired state of nodes, and what became of its newest version.
want = Table(
    "want",
    metadata,
    Column("node", String(40), ForeignKey("node.id"), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("service", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("node_version", BigInteger, nullable=False, server_default="0"),
    Column("node_state", String(8), nullable=False, server_default=""),  # taken, applied, refused
    Column("node_detail", Text, nullable=False, server_default=""),
    Column("node_us", BigInteger),
)

# Which boots each journal has seen: boots that share a journal were numbered by one counter.
boot = Table(
    "boot",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("boot_id", String(64), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("boot_seq", BigInteger, nullable=False),
    Index(None, "node", "stream", "epoch"),
)

# Moments of boots whose true time was told, Unix nanoseconds; append-only.
anchor = Table(
    "anchor",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("node", String(40), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("utc_ns", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),  # hub, ntp, modem, camera
    Column("error_ns", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Index(None, "node", "boot_id", "boot_ns"),
)

# The interval in which a record was really made, Unix nanoseconds; the newest of a record holds. Append-only.
correction = Table(
    "correction",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("node", String(40), nullable=False),
    Column("stream", String(24), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("subject", String(64), nullable=False, server_default=""),  # the report whose first record it is
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("low_ns", BigInteger, nullable=False),
    Column("high_ns", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),  # hub, ntp, modem, boots
    Column("made_us", BigInteger, nullable=False),
    Index("ix_correction_node_seq", "node", "stream", "epoch", "seq", "number"),
    Index("ix_correction_node_boot", "node", "boot_id"),
    Index(None, "subject", "number"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("received_us", BigInteger, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Index(None, "reason"),
)

# Every refusal is counted; the quarantine keeps the newest of each reason.
refusal = Table(
    "refusal",
    metadata,
    Column("reason", String(24), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
)

# Records that are kept but changed nothing: of a kind, a shape or a camera that was not known then.
unapplied = Table(
    "unapplied",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(24), nullable=False),
)

site = Table(
    "site",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("district", Text, nullable=False, server_default=""),
    Column("latitude", Float),
    Column("longitude", Float),
)

node = Table(
    "node",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("site", String(40), ForeignKey("site.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="claimed"),  # invited, claimed, revoked
    Column("online", Boolean, nullable=False, server_default="0"),
    Column("heard_us", BigInteger),
    Column("level", String(8), nullable=False, server_default="unknown"),
    Column("version", Text, nullable=False, server_default=""),
    Column("health", Text, nullable=False, server_default="{}"),
    Column("health_us", BigInteger),
)

service_state = Table(
    "service_state",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("service", String(16), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("level", String(8), nullable=False),
    Column("detail", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

camera = Table(
    "camera",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("node", String(40), ForeignKey("node.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("status", String(12), nullable=False, server_default="unknown"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("status_us", BigInteger),
    Column("model", Text, nullable=False, server_default=""),
    Column("firmware", Text, nullable=False, server_default=""),
    Column("clock_offset_ms", BigInteger),
    Column("picture_us", BigInteger),  # when the last picture was taken, None: none yet
    Column("picture_sha256", String(64), nullable=False, server_default=""),
)

footage = Table(
    "footage",
    metadata,
    Column("camera", String(40), primary_key=True),
    Column("segment", String(80), primary_key=True),
    Column("start_us", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # closed, deleted, gap
    Column("reason", Text, nullable=False, server_default=""),
    Index(None, "camera", "start_us"),
)

# Unbroken footage in the clock of the boot that told of it, dated when somebody asks, by what is known then.
# A start before the boot's own is footage of an earlier one, counted back by the node.
stretch = Table(
    "stretch",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("camera", String(40), nullable=False),
    Column("node", String(40), nullable=False),
    Column("epoch", String(16), nullable=False),  # of the journal that told of it
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("told_seq", BigInteger, nullable=False),  # the record that told of its end
    # Whether the node said that it began here: what lies before is then known to be missing.
    Column("begins", Boolean, nullable=False, server_default="0"),
    Index(None, "camera", "number"),
)

# The oldest footage of a camera that its node's retention has left.
kept = Table(
    "kept",
    metadata,
    Column("camera", String(40), primary_key=True),
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("told_us", BigInteger, nullable=False),
)

# What nodes said of their chains of segments, append-only: whoever edits footage later has to match it.
chain_head = Table(
    "chain_head",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("chain", String(64), primary_key=True),
    Column("links", BigInteger, primary_key=True, autoincrement=False),
    Column("head", String(64), nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

# The newest of these of each node, with the moment of its boot at which it was told (store/coverage.py).
head_told = Table(
    "head_told",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("chain", String(64), nullable=False),
    Column("links", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

# Footage that a node is to keep; the newest word of the node is `told` (wire/recording.HoldState, JSON).
hold = Table(
    "hold",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("node", String(40), nullable=False),
    Column("incident", String(26)),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # domain/hold
    Column("told", Text, nullable=False, server_default=""),
    Column("told_us", BigInteger),
    Column("danger", String(4), nullable=False, server_default=""),  # warn, crit: not confirmed, soon gone
    Column("released_by", String(64)),
    Column("released_us", BigInteger),
    Column("cause", String(10), nullable=False, server_default="hand"),  # hand, incident, clip
    Column("until_us", BigInteger),  # let go of by itself then
    Column("policy_version", Integer, nullable=False, server_default="0"),
    Index(None, "node", "state"),
    Index(None, "incident"),
)

# What the city has decided, by subject; the newest version whose time has come is in force.
policy = Table(
    "policy",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),  # its version, 0 being what ships
    Column("name", String(16), nullable=False),
    Column("valid_from_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("set_by", String(64), nullable=False),
    Column("set_us", BigInteger, nullable=False),
    Index(None, "name", "valid_from_us"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("number", String(20), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("category", String(8), nullable=False),
    Column("priority", String(2), nullable=False),
    Column("source", String(8), nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("place_source", String(12), nullable=False, server_default=""),  # domain/place; empty: no position
    Column("place_radius_m", Float),
    Column("place_words", Text, nullable=False, server_default=""),
    Column("opened_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("taken_by", String(64)),
    Column("taken_us", BigInteger),
    Column("version", Integer, nullable=False, server_default="1"),
    Index(None, "state", "opened_us"),
)

report = Table(
    "report",
    metadata,
    Column("id", String(64), primary_key=True),  # report_id made by the node
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("node", String(40), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("source", String(8), nullable=False),
    Column("reporter", String(32)),
    Column("reporter_e164", String(20)),
    Column("text", Text, nullable=False, server_default=""),
    Column("parts_have", Integer, nullable=False, server_default="1"),
    Column("parts_total", Integer, nullable=False, server_default="1"),
    Column("undecodable", Text),
    Column("call_state", String(12)),
    Column("rings", Integer, nullable=False, server_default="0"),
    Column(
        "arrived_us", BigInteger, nullable=False
    ),  # by the node's clock, when it was first committed there
    Column("clock", String(10), nullable=False, server_default="unknown"),
    Column("received_us", BigInteger, nullable=False),  # by the hub's clock
    Column("via", String(4), nullable=False, server_default=""),  # sms: before the link brought it
    Column("body", Text, nullable=False),
    Index(None, "incident"),
    Index(None, "reporter_e164", "arrived_us"),
)

callback = Table(
    "callback",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("number", String(32)),  # None: withheld, nobody can be called back
    Column("calls", Integer, nullable=False, server_default="1"),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column(
        "state", String(12), nullable=False, server_default="waiting"
    ),  # waiting, reached, noanswer, prank
    Column("done_by", String(64)),
    Column("done_us", BigInteger),
    Index(None, "state", "last_us"),
)

reply = Table(
    "reply",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the command that sends it
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("to", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("written_by", String(64), nullable=False),
    Column("written_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, server_default="QUEUED"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("changed_us", BigInteger, nullable=False),
    Index(None, "incident"),
)

# A phone that was texted of an incident, by the hub or by a node that could not reach it, and its answer.
assignment = Table(
    "assignment",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the text
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("code", String(8), nullable=False),
    Column("node", String(40), nullable=False),
    Column("name", Text, nullable=False),
    Column("number", String(20), nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    Column("told_by", String(64), nullable=False),
    Column("told_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # told, accepted, underway, done
    Column("state_us", BigInteger, nullable=False),
    Column("away", Boolean, nullable=False, server_default="0"),  # texted by a node without its hub
    Column("sms_state", String(10), nullable=False, server_default="QUEUED"),
    Index(None, "incident"),
    Index(None, "code", "told_us"),
)

duty_phone = Table(
    "duty_phone",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),
)

# Texts to phones on duty that are no alerts: `trial` from the console, `back` from a node that was alone.
duty_text = Table(
    "duty_text",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the command that sends it
    Column("kind", String(8), nullable=False),
    Column("number", String(20), nullable=False),
    Column("node", String(40), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, server_default="QUEUED"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("changed_us", BigInteger, nullable=False),
    Index(None, "number", "asked_us"),
)

# Numbers of our own modems; those with `takes_urgent` take texts of nodes without internet.
modem_number = Table(
    "modem_number",
    metadata,
    Column("node", String(40), ForeignKey("node.id"), primary_key=True),
    Column("number", String(20), nullable=False),
    Column("takes_urgent", Boolean, nullable=False, server_default="1"),
)

# Urgent records that came by SMS, under the key that they have on the link as well.
early = Table(
    "early",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sender", String(32), nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

command = Table(
    "command",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("node", String(40), ForeignKey("node.id"), nullable=False),
    Column("service", String(16), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("payload", Text, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("issuer", String(64), nullable=False),
    # queued, sent, received, started, done, failed, expired
    Column("state", String(10), nullable=False, server_default="queued"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default="{}"),
    Column("changed_us", BigInteger, nullable=False),
    Column("sent_us", BigInteger),
    Index(None, "state", "issued_us"),
)

clip = Table(
    "clip",
    metadata,
    Column("id", String(26), primary_key=True),  # id of the clip.fetch command
    Column("camera", String(40), ForeignKey("camera.id"), nullable=False),
    Column("incident", String(26)),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="asked"),  # coming, ready, failed, dropped
    Column("detail", Text, nullable=False, server_default=""),
    Column("size_bytes", BigInteger),
    Column("got_bytes", BigInteger, nullable=False, server_default="0"),
    Column("sha256", String(64), nullable=False, server_default=""),  # as the node stated it
    Column("wish", String(4), nullable=False, server_default="go"),  # go, stop, drop: what operators want
    Column("wished_by", String(64), nullable=False, server_default=""),
    Column("wished_us", BigInteger),
    Column("got_us", BigInteger),  # when the last slice came
    Column("rate_bytes_s", BigInteger),  # of the last slices, while it comes without a pause
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("channel", String(12), nullable=False),  # alert: retained MQTT topic of one incident
    Column("subject", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Index(None, "done_us", "number"),
)

user = Table(
    "user_account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("full_name", Text, nullable=False),
    Column("role", String(12), nullable=False),  # domain/role.py
    Column("password_hash", Text, nullable=False),
    Column("language", String(2), nullable=False, server_default="id"),
    Column("expires_us", BigInteger),
    Column("disabled", Boolean, nullable=False, server_default="0"),
    Column("must_change", Boolean, nullable=False, server_default="0"),
)

# Operators' own MQTT clients; `name` is also their user name and client id at the broker.
client = Table(
    "client",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("user", String(64), ForeignKey("user_account.name"), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("removed_us", BigInteger),
)

# What clients have said of alerts and what they were answered, for as long as it may come again.
acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("client", String(40), ForeignKey("client.name"), primary_key=True),
    Column("id", String(26), primary_key=True),
    Column("received_us", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Index(None, "client", "received_us"),
)

session = Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user", String(64), ForeignKey("user_account.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

claim = Table(
    "claim",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("node", String(40), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),
    Column("public_key_sha256", String(64)),
)

certificate = Table(
    "certificate",
    metadata,
    Column("serial", String(48), primary_key=True),
    Column("node", String(40), nullable=False),
    Column("pem", Text, nullable=False),
    Column("key_id", String(16), nullable=False, server_default=""),  # by which its seals name the key
    Column("not_after_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    CheckConstraint("length(serial) > 0", name="serial"),
    UniqueConstraint("node", "serial"),
)
