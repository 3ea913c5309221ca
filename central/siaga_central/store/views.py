"""What the console's pages read: queries over the projections, no writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, desc, func, or_, select

from siaga_central.domain import conversation
from siaga_central.store import assignments, attention, modems, spoken
from siaga_central.store import callbacks as rung
from siaga_central.store import schema as t

Rows = Sequence[Any]

# More than any moment in milliseconds: priority comes before time in a row's place.
_PRIORITY_STEP = 10**13
# How long a new report may wait before somebody takes it, by priority (escalation policy; P4 is a guess).
TAKE_WITHIN_US = {"P1": 20_000_000, "P2": 60_000_000, "P3": 300_000_000, "P4": 900_000_000}
LANE_LIMIT = 100
# Contacts that a row shows; who writes a hundred texts must not push everybody else off the screen.
SAID_MOST = 8
# From here on, what a citizen said and when the hub had it are two times.
LATE_US = 60_000_000
# Rows of a full lane kept for the newest, so that what just came is on the page however long the queue is.
_NEWEST_KEPT = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """The rows to show, and how many there are in all."""

    rows: list[Any]
    total: int

    @property
    def hidden(self) -> int:
        """How many rows the lane does not show."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident as a lane shows it; `fresh` when a reporter spoke after the last operator acted.

    `newest`: what came last; `said`: the last reports, in the order in which they were spoken.
    `sound`: what silence is kept for; it changes with every new word that nobody has answered by a deed.
    `pressing`: what was said sounds like P1, and a person has judged it otherwise before.
    `failed`: an answer to a reporter did not go out, and nobody has done anything since.
    `silent`: teams that were told and have not answered in time.
    `same_number`: other open incidents that a reporter of this one has reported.
    `spoken_us`: when its first reporter spoke; its age and deadline count from there.
    """

    incident: Row[Any]
    newest: Row[Any] | None
    reports: int
    said: list[Row[Any]]
    fresh: bool
    sound: str
    pressing: bool
    failed: bool
    silent: list[str]
    same_number: list[str]
    spoken_us: int
    deadline_us: int

    @property
    def is_late(self) -> bool:
        """Whether the hub had it so much later that people must see both times."""
        return int(self.incident.opened_us) - self.spoken_us >= LATE_US

    @property
    def lane(self) -> str:
        """`act` while nobody has it or it calls again, `run` while somebody has it, `` when closed."""
        if self.incident.closed_us is not None:
            return ""
        return "act" if self.incident.taken_by is None or self.fresh or self.failed else "run"

    @property
    def priority(self) -> str:
        """By what it is ordered and sounds."""
        return "P1" if self.pressing else str(self.incident.priority)

    @property
    def place(self) -> int:
        """Where it stands in its lane, the smallest on top; a browser's number holds it exactly."""
        at_ms = self.deadline_us // 1000 if self.lane == "act" else -(int(self.incident.changed_us) // 1000)
        return int(self.priority[1:]) * _PRIORITY_STEP + at_ms


def _in_place(lines: Sequence[IncidentLine]) -> list[IncidentLine]:
    """As a live page orders them: by place, and those of one millisecond by id, so that none ever jumps."""
    return sorted(lines, key=lambda line: (line.place, line.incident.id))


def last_seq(connection: Connection) -> int:
    """Number of the newest event, 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(t.event.c.seq), 0))).scalar_one())


def events_after(connection: Connection, seq: int, limit: int) -> Rows:
    """Events after `seq`, oldest first."""
    found = (
        select(t.event.c.seq, t.event.c.subject)
        .where(t.event.c.seq > seq)
        .order_by(t.event.c.seq)
        .limit(limit)
    )
    return connection.execute(found).all()


def needs_action(connection: Connection) -> Lane:
    """Incidents untaken or with a later word of the reporter: the gravest first, then the oldest deadline.

    However long the queue is, the newest are in.
    """
    wanted = and_(t.incident.c.closed_us.is_(None), or_(t.incident.c.taken_by.is_(None), attention.calls()))
    total = _count(connection, wanted)
    by_urgency = _incidents().where(wanted).order_by(attention.priority(), _deadline(), t.incident.c.id)
    if total <= LANE_LIMIT:
        return Lane(_in_place(_lines(connection, by_urgency)), total)
    first = _lines(connection, by_urgency.limit(LANE_LIMIT - _NEWEST_KEPT))
    newest = _lines(connection, _incidents().where(wanted).order_by(desc("opened_us")).limit(_NEWEST_KEPT))
    lines = {line.incident.id: line for line in first + newest}
    return Lane(_in_place(list(lines.values())), total)


def running(connection: Connection) -> Lane:
    """Open incidents somebody works on, the gravest first, then the last changed."""
    wanted = and_(t.incident.c.closed_us.is_(None), t.incident.c.taken_by.is_not(None), ~attention.calls())
    found = _incidents().where(wanted)
    found = found.order_by(t.incident.c.priority, desc("changed_us"), t.incident.c.id).limit(LANE_LIMIT)
    return Lane(_in_place(_lines(connection, found)), _count(connection, wanted))


def counts_of_incidents(connection: Connection) -> tuple[int, int]:
    """How many incidents need action, and how many somebody works on."""
    is_open, is_taken = t.incident.c.closed_us.is_(None), t.incident.c.taken_by.is_not(None)
    total = _count(connection, is_open)
    running_now = _count(connection, and_(is_open, is_taken, ~attention.calls()))
    return total - running_now, running_now


def incident_line(connection: Connection, incident_id: str) -> IncidentLine | None:
    """One incident as its lane shows it."""
    found = _lines(connection, _incidents().where(t.incident.c.id == incident_id))
    return found[0] if found else None


def signals(connection: Connection) -> Lane:
    """Nodes and cameras in trouble, a dead SMS line first, then nodes; of each the latest change first."""
    troubled = _cameras().where(_camera_trouble()).order_by("place", t.camera.c.id)
    cameras = connection.execute(troubled.limit(LANE_LIMIT)).all()
    troubled = _nodes().where(_node_trouble()).order_by("place", t.node.c.id)
    nodes = connection.execute(troubled.limit(LANE_LIMIT)).all()
    total = sum(
        int(connection.execute(select(func.count()).select_from(table).where(trouble)).scalar_one())
        for table, trouble in ((t.camera, _camera_trouble()), (t.node, _node_trouble()))
    )
    return Lane([*nodes, *cameras][:LANE_LIMIT], total)


def signal(connection: Connection, subject: str) -> tuple[Row[Any], bool] | None:
    """The camera or node called `subject`, and whether it is in trouble; None when there is none."""
    for columns, table, trouble in (
        (_cameras(), t.camera, _camera_trouble()),
        (_nodes(), t.node, _node_trouble()),
    ):
        row = connection.execute(columns.where(table.c.id == subject)).one_or_none()
        if row is not None:
            bad = connection.execute(
                select(func.count()).select_from(table).where(table.c.id == subject, trouble)
            )
            return row, bool(bad.scalar_one())
    return None


def callbacks(connection: Connection) -> Lane:
    """Callers still to be rung back: of the gravest incident first, then who has waited longest."""
    waiting = t.callback.c.state == "waiting"
    rows = connection.execute(
        _callbacks().where(waiting).order_by("place", t.callback.c.id).limit(LANE_LIMIT)
    ).all()
    total = connection.execute(select(func.count()).select_from(t.callback).where(waiting)).scalar_one()
    return Lane(list(rows), int(total))


def callbacks_of(connection: Connection, subject: str) -> Rows:
    """Call-backs with this id or of this incident, settled ones too."""
    return connection.execute(
        _callbacks().where(or_(t.callback.c.id == subject, t.callback.c.incident == subject))
    ).all()


def settled_callbacks(connection: Connection, limit: int = 50) -> Rows:
    """The last call-backs somebody settled."""
    return connection.execute(
        _callbacks().where(t.callback.c.state != "waiting").order_by(desc("done_us")).limit(limit)
    ).all()


def incident_of(connection: Connection, subject: str) -> str | None:
    """Id of the incident that `subject` (incident, report, call-back, reply or clip) belongs to."""
    for table in (t.report, t.callback, t.reply, t.clip):
        found = connection.execute(select(table.c.incident).where(table.c.id == subject)).scalar_one_or_none()
        if found is not None:
            return str(found)
    return connection.execute(select(t.incident.c.id).where(t.incident.c.id == subject)).scalar_one_or_none()


def incident_by_number(connection: Connection, number: str) -> Row[Any] | None:
    """The incident people call `number`, with `spoken_us`, when its first reporter spoke."""
    found = select(t.incident, spoken.of_incident().label("spoken_us")).where(t.incident.c.number == number)
    return connection.execute(found).one_or_none()


def reports_of(connection: Connection, incident_id: str) -> Rows:
    """Every contact about an incident, oldest first."""
    found = select(t.report, spoken.of_report().label("spoken_us")).where(t.report.c.incident == incident_id)
    return connection.execute(found.order_by("spoken_us", t.report.c.received_us, t.report.c.id)).all()


def same_number(connection: Connection, incident_ids: Sequence[str]) -> dict[str, list[str]]:
    """Incident -> numbers of other open incidents that one of its reporters has reported too."""
    numbers, mine = t.report.c.reporter_e164, t.report.c.incident.in_(incident_ids)
    spoke = select(t.report.c.incident, numbers).where(mine, numbers.is_not(None)).distinct()
    asked = connection.execute(spoke).all()
    elsewhere = (
        select(numbers, t.incident.c.id, t.incident.c.number)
        .join(t.incident, t.incident.c.id == t.report.c.incident)
        .where(numbers.in_({row.reporter_e164 for row in asked}), t.incident.c.closed_us.is_(None))
        .distinct()
        .order_by(t.incident.c.number)
    )
    known = connection.execute(elsewhere).all()
    return {
        id: list(dict.fromkeys(one.number for one in known if one.id != id and one.reporter_e164 in own))
        for id in incident_ids
        if (own := {row.reporter_e164 for row in asked if row.incident == id})
    }


def replies_of(connection: Connection, incident_id: str) -> Rows:
    """Answers written to an incident's reporters, oldest first."""
    return connection.execute(
        select(t.reply).where(t.reply.c.incident == incident_id).order_by(t.reply.c.written_us)
    ).all()


def clips_of(connection: Connection, incident_id: str) -> Rows:
    """Clips asked for an incident, newest first."""
    return connection.execute(
        select(t.clip, t.camera.c.name.label("camera_name"))
        .join(t.camera, t.camera.c.id == t.clip.c.camera)
        .where(t.clip.c.incident == incident_id)
        .order_by(desc(t.clip.c.asked_us))
    ).all()


def clip(connection: Connection, clip_id: str) -> Row[Any] | None:
    """One clip with the name of its camera."""
    return connection.execute(
        select(t.clip, t.camera.c.name.label("camera_name"))
        .join(t.camera, t.camera.c.id == t.clip.c.camera)
        .where(t.clip.c.id == clip_id)
    ).one_or_none()


def order_of_clip(connection: Connection, clip_id: str) -> Row[Any] | None:
    """The command behind a clip: its state, its result and whether its node is connected."""
    return connection.execute(
        select(t.command, t.node.c.online)
        .join(t.node, t.node.c.id == t.command.c.node)
        .where(t.command.c.id == clip_id)
    ).one_or_none()


def gaps_of(connection: Connection, camera_id: str, start_us: int, end_us: int) -> Rows:
    """Stretches without footage of a camera that a span touches, with what its node said of them."""
    gap = t.footage
    return connection.execute(
        select(gap.c.start_us, gap.c.duration_ms, gap.c.reason)
        .where(gap.c.camera == camera_id, gap.c.state == "gap", gap.c.start_us < end_us)
        .where(gap.c.start_us + gap.c.duration_ms * 1000 > start_us)
        .order_by(gap.c.start_us)
    ).all()


def events_of(connection: Connection, *subjects: str, limit: int = 200) -> Rows:
    """The last events about any of `subjects`, newest first."""
    found = select(t.event).where(t.event.c.subject.in_(subjects))
    return connection.execute(found.order_by(desc(t.event.c.seq)).limit(limit)).all()


def cameras(connection: Connection) -> Rows:
    """Every camera with its node and site, those in trouble first."""
    return connection.execute(_cameras().order_by(case((_camera_trouble(), 0), else_=1), t.camera.c.id)).all()


def camera(connection: Connection, camera_id: str) -> Row[Any] | None:
    """One camera with its node and site."""
    return connection.execute(_cameras().where(t.camera.c.id == camera_id)).one_or_none()


def nodes(connection: Connection) -> Rows:
    """Every node with its site, those in trouble first."""
    return connection.execute(_nodes().order_by(case((_node_trouble(), 0), else_=1), t.node.c.id)).all()


def node(connection: Connection, node_id: str) -> Row[Any] | None:
    """One node with its site."""
    return connection.execute(_nodes().where(t.node.c.id == node_id)).one_or_none()


def service_states(connection: Connection, node_id: str) -> Rows:
    """What a node's services say of themselves, the latest change first."""
    found = select(t.service_state).where(t.service_state.c.node == node_id)
    return connection.execute(found.order_by(desc(t.service_state.c.changed_us))).all()


def gsm_node(connection: Connection, incident_id: str) -> str | None:
    """The node through which an incident's last report came; an answer goes back the same way."""
    found = select(t.report.c.node).where(
        t.report.c.incident == incident_id, t.report.c.source.in_(("sms", "call"))
    )
    return connection.execute(found.order_by(desc(t.report.c.received_us)).limit(1)).scalar_one_or_none()


def any_gsm_node(connection: Connection) -> str | None:
    """Some node that has ever brought a report, the last heard first."""
    found = select(t.node.c.id).where(t.node.c.id.in_(select(t.report.c.node)))
    return connection.execute(found.order_by(desc(t.node.c.heard_us)).limit(1)).scalar_one_or_none()


def quarantine_counts(connection: Connection) -> Rows:
    """Refused messages: reason, how many, the latest."""
    how_many, latest = t.refusal.c["count"].label("how_many"), t.refusal.c.last_us.label("latest_us")
    return connection.execute(select(t.refusal.c.reason, how_many, latest).order_by(desc("how_many"))).all()


def quarantined(connection: Connection, reason: str | None, limit: int = 50) -> Rows:
    """The last refused messages, of one reason or all."""
    found = select(t.quarantine).order_by(desc(t.quarantine.c.number)).limit(limit)
    if reason:
        found = found.where(t.quarantine.c.reason == reason)
    return connection.execute(found).all()


def _incidents() -> Select[Any]:
    calls = attention.is_fresh().label("fresh"), attention.is_pressing().label("pressing")
    failed_us = attention.failed_us().label("failed_us")
    times = spoken.of_incident().label("spoken_us"), _deadline().label("deadline_us")
    return select(t.incident, *calls, failed_us, *times)


def _deadline() -> Any:
    allowed = case(
        *((t.incident.c.priority == priority, wait_us) for priority, wait_us in TAKE_WITHIN_US.items()),
        else_=TAKE_WITHIN_US["P2"],
    )
    return spoken.of_incident() + allowed


def _lines(connection: Connection, found: Select[Any]) -> list[IncidentLine]:
    incidents = connection.execute(found).all()
    reports: dict[str, list[Row[Any]]] = {}
    wanted = t.report.c.incident.in_([row.id for row in incidents])
    found_reports = select(t.report, spoken.of_report().label("spoken_us")).where(wanted)
    for report in connection.execute(found_reports.order_by(t.report.c.received_us, t.report.c.id)):
        reports.setdefault(report.incident, []).append(report)
    ids = [row.id for row in incidents]
    linked, silent = same_number(connection, ids), assignments.silent(connection, ids)
    return [
        _line(row, reports.get(row.id, []), linked.get(row.id, []), silent.get(row.id, []))
        for row in incidents
    ]


def _line(
    row: Row[Any], reports: Sequence[Row[Any]], same_number: list[str], silent: list[str]
) -> IncidentLine:
    newest = reports[-1] if reports else None
    sound = ""
    if newest is not None and (row.fresh or row.taken_by is None):
        # A call is one word, however often it rings; a text is another with each part that comes.
        word = newest.id if newest.source == "call" else f"{newest.id}.{newest.revision}"
        sound = conversation.silence_for(word, [one.received_us for one in reports])
    if row.failed_us:
        sound += f".failed-{row.failed_us}"
    return IncidentLine(
        incident=row,
        newest=newest,
        reports=len(reports),
        said=sorted(reports[-SAID_MOST:], key=lambda one: one.spoken_us),
        fresh=bool(row.fresh),
        sound=sound,
        pressing=bool(row.pressing),
        failed=row.failed_us > 0,
        silent=silent,
        same_number=same_number,
        spoken_us=row.spoken_us,
        deadline_us=row.deadline_us,
    )


def _count(connection: Connection, wanted: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(t.incident).where(wanted)).scalar_one())


def _camera_trouble() -> Any:
    return t.camera.c.status.not_in(("up", "unknown"))


def _node_trouble() -> Any:
    return and_(
        t.node.c.state != "revoked",
        or_(
            and_(t.node.c.online.is_(False), t.node.c.heard_us.is_not(None)),
            t.node.c.level == "crit",
            t.node.c.id.in_(select(t.service_state.c.node).where(t.service_state.c.level == "crit")),
        ),
    )


def _cameras() -> Select[Any]:
    return (
        select(
            t.camera,
            t.node.c.online,
            t.node.c.heard_us,
            t.site.c.name.label("site_name"),
            t.site.c.district,
            t.site.c.latitude.label("site_latitude"),
            t.site.c.longitude.label("site_longitude"),
            (2 * _PRIORITY_STEP - func.coalesce(t.camera.c.status_us, 0) // 1000).label("place"),
        )
        .join(t.node, t.node.c.id == t.camera.c.node)
        .join(t.site, t.site.c.id == t.node.c.site)
    )


def _nodes() -> Select[Any]:
    line = t.service_state.c
    dead = select(line.node).where(
        line.service.in_(modems.MODEMS), line.code.in_(modems.STOPS), line.level == "crit"
    )
    rank = case((t.node.c.id.in_(dead), 0), else_=1)
    place = rank * _PRIORITY_STEP - func.coalesce(t.node.c.heard_us, 0) // 1000
    site = t.site.c.name.label("site_name"), t.site.c.district
    no_sms = case((t.node.c.id.in_(dead), 1), else_=0).label("no_sms")
    return select(t.node, *site, no_sms, place.label("place")).join(t.site, t.site.c.id == t.node.c.site)


def _callbacks() -> Select[Any]:
    priority, due_us, called_us = attention.priority(), rung.due_us(), spoken.of_callback()
    since_us = case((rung.tries() > 0, due_us), else_=called_us)
    rank = case(*((priority == name, number) for number, name in enumerate(TAKE_WITHIN_US, 1)), else_=2)
    return select(
        t.callback,
        t.incident.c.number.label("incident_number"),
        t.incident.c.closed_us.label("incident_closed_us"),
        priority.label("priority"),
        rung.tries().label("tries"),
        due_us.label("due_us"),
        called_us.label("called_us"),
        (t.callback.c.last_us - called_us >= LATE_US).label("is_late"),
        (rank * _PRIORITY_STEP + since_us // 1000).label("place"),
    ).join(t.incident, t.incident.c.id == t.callback.c.incident)
