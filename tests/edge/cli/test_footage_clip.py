"""`siaga-node footage clip`: nothing leaves without a grant of the hub's own, and nothing unrecorded."""

import functools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_core.service.signing import Signer
from siaga_core.wire import seal, topics
from siaga_core.wire.envelope import BadRecord, encode
from siaga_core.wire.grant import Grant, GrantFile, decode_file, decode_grant
from siaga_core.wire.ids import NodeId
from siaga_edge import announced
from siaga_edge.cli import footage_clip
from siaga_edge.cli.footage_clip import ClipRefused, Copied
from siaga_edge.node import NodeConfig
from siaga_edge.recorder import export
from siaga_edge.recorder.export import NoFootage
from siaga_edge.recorder.fragments import Fragment, Init, Parser
from siaga_edge.recorder.granting import Answer, Granting, Request
from siaga_edge.recorder.grants import Asked, Now, refusal
from siaga_edge.recorder.retention import Stored
from siaga_edge.recorder.writing import SegmentWriter, segment_path
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock
from support.kept_footage import KeptFootage, kept_footage

S = 10**9
GENERATION, SINCE_US = "life-one", 1_000_000


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """The city's own, and another one."""
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("authorities")
    return tuple(Authority.create(folder / name, "Uji", now) for name in ("own", "other"))  # type: ignore[return-value]


@dataclass
class Site:
    """A recorder with footage, a hub's authority that it has pinned, and a stick."""

    kept: KeptFootage
    own: Authority
    other: Authority
    folder: Path

    @property
    def config(self) -> NodeConfig:
        return self.kept.config

    def span(self, since_s: float, lasts_s: float) -> tuple[int, int]:
        start = self.kept.clock.wall_ns() - int(since_s * S)
        return start, start + int(lasts_s * S)

    def grant(self, span: tuple[int, int], *, by: Authority | None = None, **change: object) -> Path:
        now_ms = self.kept.clock.wall_ns() // 1_000_000
        keys: dict[str, object] = {
            "id": "01M85AB0C1D2E3F4G5H6J7K8MB",
            "node": "btm-017",
            "camera": "gate",
            "start_wall_ns": span[0],
            "end_wall_ns": span[1],
            "issued_ms": now_ms,
            "expires_ms": now_ms + 3_600_000,
            "by": "sari",
            "reason": "surat 12",
        }
        made = Grant(**(keys | change))  # type: ignore[arg-type]
        voice = Voice(by or self.own, GENERATION, SINCE_US, datetime.now(UTC))
        sealed = voice.seal(topics.grant(NodeId(made.node)), encode(made))
        path = self.folder / "stick.grant"
        path.write_bytes(msgspec.json.encode(GrantFile(announcement=voice.announcement(), grant=sealed)))
        return path

    def copy(
        self, span: tuple[int, int], grant: Path, name: str = "out.mp4", *, tight: bool = True
    ) -> Copied:
        return footage_clip.copy(
            self.config,
            "gate",
            span,
            grant,
            self.folder / name,
            tight=tight,
            wait=lambda _s: self.kept.record(0.5),
        )

    def uses(self) -> list[tuple[str, str]]:
        return [(one["state"], one.get("detail", "")) for one in self.kept.records("recording.grant")]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.mp4*")) + sorted(
            path.name for path in self.folder.glob(".*")
        )


@pytest.fixture
def site(tmp_path: Path, authorities: tuple[Authority, Authority]) -> Iterator[Site]:
    own, other = authorities
    stick = tmp_path / "stick"
    stick.mkdir()
    with kept_footage(tmp_path, ca_file=own.ca_file) as kept:
        kept.record(18)
        yield Site(kept, own, other, stick)


@pytest.mark.sop("R03", "R28")
def test_a_granted_span_is_copied_and_on_record_before_and_after(site: Site) -> None:
    span = site.span(12, 8.2)
    seen: list[list[tuple[str, str]]] = []

    def wait(_seconds: float) -> None:
        assert not (site.folder / "out.mp4").exists()
        seen.append(site.uses())
        site.kept.record(0.5)

    grant = site.grant(site.span(13, 11))
    made = footage_clip.copy(site.config, "gate", span, grant, site.folder / "out.mp4", tight=True, wait=wait)
    assert made.status == 0
    assert made.clip.hidden == 0
    assert abs(made.clip.start_wall_ns - span[0]) <= 0.11 * S
    site.kept.record(2)
    begun, done = site.kept.records("recording.grant")
    assert (begun["state"], done["state"]) == ("begun", "done")
    assert done["sha256"] == made.clip.sha256
    assert (done["by"], done["reason"]) == ("sari", "surat 12")
    assert (done["camera"], done["use"]) == ("gate", begun["use"])
    probe = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"]
    frames = subprocess.run(
        [*probe, "-of", "csv=p=0", str(site.folder / "out.mp4")], capture_output=True, text=True, check=True
    )
    assert int(frames.stdout) == made.clip.pictures
    assert site.files() == ["out.mp4"]


class Careless(Granting):
    """Lets a clip be cut and keeps no record."""

    def take(self) -> None:
        for path in self._folder.glob("*.asked"):
            grant, refused = self._judged(msgspec.json.decode(path.read_bytes(), type=Request))
            path.with_suffix(".answer").write_bytes(msgspec.json.encode(Answer(refused=refused, grant=grant)))
            path.unlink()


class Trusting(Granting):
    """Takes what a grant says for true, whoever has sealed it."""

    def _opened(self, octets: bytes) -> Grant:
        return decode_grant(seal.expand(seal.unpack(decode_file(octets).grant, 1 << 20), 1 << 20))


class Uncounting(Granting):
    """Lets a grant be used for ever."""

    def used(self, grant: str) -> int:
        return 0


def _copies_unrecorded(site: Site) -> bool:
    span = site.span(12, 5)
    site.copy(span, site.grant(span))
    return [state for state, _ in site.uses()[:1]] != ["begun"]


def _copies_for_a_stranger(site: Site) -> bool:
    span = site.span(12, 5)
    try:
        site.copy(span, site.grant(span, by=site.other))
    except ClipRefused:
        return False
    return True


def _copies_twice(site: Site) -> bool:
    span = site.span(12, 5)
    grant = site.grant(span)
    site.copy(span, grant, "one.mp4")
    try:
        site.copy(span, grant, "two.mp4")
    except ClipRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("fault", "mutant"),
    [
        (_copies_unrecorded, Careless),
        (_copies_for_a_stranger, Trusting),
        (_copies_twice, Uncounting),
    ],
)
def test_a_recorder_that_grants_carelessly_is_found_out(
    site: Site, fault: Callable[[Site], bool], mutant: type[Granting]
) -> None:
    keeper = site.kept.keeper
    assert not fault(site)
    for path in site.folder.glob("*.mp4"):
        path.unlink()
    site.kept.journal.connection.execute("DELETE FROM record WHERE kind = 'recording.grant'")
    keeper._granting = mutant(site.config, site.kept.journal, keeper._now)
    assert fault(site)


def test_a_grant_is_used_as_often_as_it_says(site: Site) -> None:
    span = site.span(12, 5)
    grant = site.grant(span, uses=2)
    site.copy(span, grant, "one.mp4")
    site.copy(span, grant, "two.mp4")
    with pytest.raises(ClipRefused, match="used 2 times already"):
        site.copy(span, grant, "three.mp4")
    assert site.files() == ["one.mp4", "two.mp4"]
    assert [state for state, _ in site.uses()] == ["begun", "done", "begun", "done", "refused"]


def test_uses_are_counted_over_a_restart(site: Site, tmp_path: Path) -> None:
    span = site.span(12, 5)
    grant = site.grant(span)
    site.copy(span, grant, "one.mp4")
    site.kept.end()
    with kept_footage(tmp_path, clock=site.kept.clock, ca_file=site.own.ca_file) as kept:
        kept.record(5)
        again = Site(kept, site.own, site.other, site.folder)
        with pytest.raises(ClipRefused, match="used 1 times"):
            again.copy(span, grant, "two.mp4")
    site.kept.end = lambda: None  # type: ignore[method-assign]


HOUR_MS = 3_600_000
STRANGER = "not made by this node's hub"
WRONG: dict[str, tuple[Callable[[Site, tuple[int, int]], Path], str]] = {
    "another camera": (lambda site, span: site.grant(span, camera="yard"), "for camera yard"),
    "another node": (lambda site, span: site.grant(span, node="btm-018"), STRANGER),
    "a span that ends earlier": (lambda site, span: site.grant((span[0], span[1] - S)), "not within"),
    "a span that begins later": (lambda site, span: site.grant((span[0] + S, span[1])), "not within"),
    "expired": (
        lambda site, span: site.grant(span, expires_ms=site.kept.clock.wall_ns() // 1_000_000),
        "has expired",
    ),
    "made in the future": (
        lambda site, span: site.grant(
            span,
            issued_ms=site.kept.clock.wall_ns() // 1_000_000 + HOUR_MS,
            expires_ms=site.kept.clock.wall_ns() // 1_000_000 + 2 * HOUR_MS,
        ),
        "clock is wrong",
    ),
    "another city's hub": (lambda site, span: site.grant(span, by=site.other), STRANGER),
    "one octet changed": (lambda site, span: _changed(site.grant(span)), STRANGER),
    "sealed by a node's key": (lambda site, span: _sealed_by_a_node(site, span), STRANGER),
    "no grant at all": (lambda site, span: _garbage(site), STRANGER),
}


def _changed(path: Path) -> Path:
    file = msgspec.json.decode(path.read_bytes(), type=GrantFile)
    sealed = bytearray(file.grant)
    sealed[-5] ^= 1
    path.write_bytes(msgspec.json.encode(GrantFile(announcement=file.announcement, grant=bytes(sealed))))
    return path


def _sealed_by_a_node(site: Site, span: tuple[int, int]) -> Path:
    """By a key whose certificate the same authority has made, but not for signing."""
    from support.hub import Place

    place = Place(site.folder.parent, site.own, None)  # type: ignore[arg-type]
    signer = Signer.load(place.identity("btm-017").key_file)
    path = site.grant(span)
    file = msgspec.json.decode(path.read_bytes(), type=GrantFile)
    now_ms = site.kept.clock.wall_ns() // 1_000_000
    grant = Grant(
        id="x",
        node="btm-017",
        camera="gate",
        start_wall_ns=span[0],
        end_wall_ns=span[1],
        issued_ms=now_ms,
        expires_ms=now_ms + HOUR_MS,
        by="sari",
        reason="x",
    )
    sealed = signer.seal(topics.grant(NodeId("btm-017")), encode(grant))
    path.write_bytes(msgspec.json.encode(GrantFile(announcement=file.announcement, grant=sealed)))
    return path


def _garbage(site: Site) -> Path:
    path = site.folder / "stick.grant"
    path.write_bytes(b"{}")
    return path


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_grant_does_not_cover_is_refused_on_record_and_leaves_no_file(
    site: Site, wrong: str
) -> None:
    make, why = WRONG[wrong]
    span = site.span(12, 5)
    with pytest.raises(ClipRefused, match=why):
        site.copy(span, make(site, span))
    [(state, detail)] = site.uses()
    assert state == "refused"
    assert why in detail
    assert site.files() == []


@pytest.mark.parametrize(
    ("state", "moves_s", "why"),
    [
        ("unknown", 0, "clock is not set"),
        ("floor", 0, "clock is not set"),
        ("synced", -3 * 3600, "clock is wrong"),
        ("synced", 2 * 3600, "has expired"),
    ],
)
def test_a_node_whose_clock_is_wrong_opens_nothing(site: Site, state: str, moves_s: float, why: str) -> None:
    span = site.span(12, 5)
    grant = site.grant(span)
    site.kept.clock.jump_wall(moves_s)
    site.kept.state = (state, 10 if state == "synced" else None)  # type: ignore[assignment]
    with pytest.raises(ClipRefused, match=why):
        footage_clip.copy(
            site.config, "gate", span, grant, site.folder / "out.mp4", tight=True, wait=lambda _s: _tend(site)
        )
    assert site.files() == []


def _tend(site: Site) -> None:
    """Let the recorder answer without new footage, by which it would date the span anew."""
    site.kept.clock.advance(0.5)
    site.kept.keeper._granting.take()


def test_an_expired_grant_stays_expired_when_the_clock_is_put_back() -> None:
    grant = Grant(
        id="x",
        node="n",
        camera="c",
        start_wall_ns=1,
        end_wall_ns=9,
        issued_ms=1000,
        expires_ms=2000,
        by="s",
        reason="r",
    )
    asked, before, after = Asked("c", 1, 9), 1_500_000_000, 2_500_000_000
    assert refusal(grant, asked, "n", 0, Now(before, "synced", 0)) == ""
    assert "expired" in refusal(grant, asked, "n", 0, Now(before, "synced", after))


def test_without_tight_nothing_before_the_granted_begin_may_hide_in_the_file(site: Site) -> None:
    start, end = site.span(12.23, 5)
    grant = site.grant((start, end), uses=3)
    with pytest.raises(ClipRefused, match="add --tight"):
        site.copy((start, end), grant, tight=False)
    assert site.files() == []
    made = site.copy((start + 2 * S, end), grant, tight=False)
    assert made.clip.hidden > 0
    assert [state for state, _ in site.uses()] == ["begun", "failed", "begun"]


def test_what_would_fail_anyway_costs_no_use(site: Site) -> None:
    span = site.span(12, 5)
    grant = site.grant(span)
    (site.folder / "out.mp4").write_bytes(b"mine")
    with pytest.raises(ClipRefused, match="exists"):
        site.copy(span, grant)
    with pytest.raises(ClipRefused, match="mount the stick"):
        site.copy(span, grant, "none/out.mp4")
    with pytest.raises(ClipRefused, match="cannot be read"):
        site.copy(span, site.folder / "none.grant", "other.mp4")
    with pytest.raises(NoFootage):
        site.copy(site.span(5000, 5), grant, "other.mp4")
    assert site.uses() == []
    assert (site.folder / "out.mp4").read_bytes() == b"mine"


def test_without_a_recorder_nothing_is_copied_and_nothing_waits_for_one(site: Site) -> None:
    span = site.span(12, 5)
    out, grant = site.folder / "x.mp4", site.grant(span)
    with pytest.raises(ClipRefused, match="does not answer"):
        footage_clip.copy(site.config, "gate", span, grant, out, tight=True, wait=lambda _s: None)
    site.kept.record(3)
    assert site.uses() == []
    assert site.files() == []


def test_footage_of_a_boot_whose_clock_was_never_set_is_not_copied(
    tmp_path: Path, authorities: tuple[Authority, Authority]
) -> None:
    with kept_footage(tmp_path, ca_file=authorities[0].ca_file) as kept:
        kept.state = ("unknown", None)
        kept.keeper.index._connection.execute("DELETE FROM clock_observation")
        kept.keeper.index._dating = None
        kept.keeper._seen = kept.keeper._look_at_clock()
        kept.record(20)
        found = kept.stored()[0]
        assert found.error_ms is None
        site = Site(kept, *authorities, tmp_path)
        span = (found.start_wall_ns, found.end_wall_ns)
        with pytest.raises(ClipRefused, match="never set"):
            site.copy(span, site.grant(span))
        assert site.uses() == []


def test_an_announcement_in_the_file_counts_unless_a_newer_one_is_known(
    tmp_path: Path, authorities: tuple[Authority, Authority]
) -> None:
    own, other = authorities
    now, root_pem = datetime.now(UTC), own.ca_file.read_bytes()
    # Both younger than their certificate, which else says since when the hub speaks so.
    later_us = int(now.timestamp() * 1e6) + 10**9
    old, new = (Voice(own, f"life-{n}", later_us + n, now).announcement() for n in (1_000_000, 2_000_000))
    first = announced.newer(None, old, root_pem)
    second = announced.newer(first, new, root_pem)
    assert second.generation == "life-2000000"
    assert announced.newer(second, old, root_pem) == second
    with closing(Ledger(tmp_path / "delivery.db", FakeClock())) as ledger:
        ledger.keep_announcement(second)
    assert other.ca_file.read_bytes() != root_pem
    with pytest.raises(BadRecord, match="pinned root"):
        announced.newer(None, new, other.ca_file.read_bytes())


@functools.cache
def _out_of_order() -> tuple[Init, tuple[Fragment, ...]]:
    """Fragments of a second with B-frames: a picture is decoded from one that is seen after it."""
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10", "-t", "6"]
    command += ["-c:v", "libx264", "-g", "10", "-bf", "3", "-x264-params", "b-adapt=0:open-gop=0"]
    command += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "pipe:1"]
    made = list(Parser().feed(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))
    assert isinstance(made[0], Init)
    return made[0], tuple(one for one in made[1:] if isinstance(one, Fragment))


def _record_out_of_order(kept: KeptFootage) -> Stored:
    """A closed segment of five seconds of such pictures."""
    kept.writers["gate"].close()
    init, fragments = _out_of_order()
    writer = SegmentWriter(kept.place, "gate", kept.keeper.index.next_run("gate"))
    writer.begin(init)
    for fragment in fragments:
        kept.clock.advance(1)
        writer.add(fragment)
    writer.close()
    kept.settle()
    kept.keeper.tend()
    return kept.stored()[-2]


def _held(path: Path) -> int:
    """Pictures that are in a file, shown or not."""
    probe = ["ffprobe", "-v", "error", "-ignore_editlist", "1", "-count_packets", "-select_streams", "v"]
    probe += ["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", str(path)]
    return int(subprocess.check_output(probe, text=True))


def _is_refused(site: Site, span: tuple[int, int], grant: Path, name: str) -> bool:
    """Whether a copy without --tight is refused for its end; one that is not holds what is shown alone."""
    try:
        made = site.copy(span, grant, name, tight=False)
    except ClipRefused as error:
        why = str(error)
    else:
        assert made.clip.hidden == 0
        assert _held(site.folder / name) == made.clip.pictures
        return False
    assert not (site.folder / name).exists()
    return "from after what was granted" in why


def test_without_tight_nothing_after_the_granted_end_may_hide_in_the_file(site: Site) -> None:
    found = _record_out_of_order(site.kept)
    start = found.start_wall_ns + S - S // 20  # the first picture that is shown is a key picture
    paths = [segment_path(site.config.recorder.footage_dir, found.name)]  # type: ignore[union-attr]
    refused, hiding = [], []
    for tenth in range(12, 24):
        end = start + tenth * S // 10
        name, unchecked = f"{tenth}.mp4", site.folder / f"unchecked-{tenth}.mp4"
        clip = export.cut(paths, start, end, unchecked, site.kept.keeper.index.dating.wall)
        if _held(unchecked) > clip.pictures:
            hiding.append(tenth)
        if _is_refused(site, (start, end), site.grant((start - S, end), id=name), name):
            refused.append(tenth)
    assert refused == hiding, "a copy that is not checked holds such pictures at the same ends"
    assert 0 < len(refused) < 12
    tight = site.copy((start, start + refused[0] * S // 10), site.grant((start - S, start + 3 * S)))
    assert (tight.clip.hidden, _held(site.folder / "out.mp4")) == (0, tight.clip.pictures)
