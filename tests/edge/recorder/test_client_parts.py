"""The pure parts of our own client: any octets in any cuts, packets lost and late, known answers."""

import base64
import contextlib
import itertools
import random
import struct
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siaga_edge.recorder.client import description, login
from siaga_edge.recorder.client.assembling import PENDING_MOST_BYTES, Assembler
from siaga_edge.recorder.client.audio import G711, Aac
from siaga_edge.recorder.client.messages import Answer, Asked, Demux, NotUnderstood, framed, request
from siaga_edge.recorder.client.packets import Receiver, sender_report
from siaga_edge.recorder.client.units import H264, H265, PICTURE_MOST_BYTES, Picture, Pictures
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser, sound_of
from siaga_edge.recorder.trouble import CameraTrouble
from siaga_edge.simulate.camera.coded import Stream
from siaga_edge.simulate.camera.rtp import Source
from support.films import coded, flat, packets

_MOST = settings(max_examples=150, deadline=None, derandomize=True)
_ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\n$$$$"


def announced(stream: Stream, sound: str = "") -> description.Description:
    """What the camera would say."""
    said = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {stream.rtpmap}\r\na=fmtp:96 {stream.fmtp}\r\n{sound}"
    return description.read(said.encode(), sound=True)


def taken_apart(kind: type[Pictures], sent: Iterable[bytes]) -> tuple[list[Picture], Pictures]:
    receiver, pictures = Receiver(96), kind()
    made = []
    for packet in sent:
        taken = receiver.take(memoryview(packet))
        if taken is not None and (picture := pictures.take(taken)):
            made.append(picture)
    if last := pictures.flush():
        made.append(last)
    return made, pictures


def fed(demux: Demux, octets: bytes, cuts: Iterator[int]) -> list[tuple[int, bytes] | Answer | Asked]:
    made: list[tuple[int, bytes] | Answer | Asked] = []
    at = 0
    while at < len(octets):
        room = demux.room()
        piece = octets[at : at + max(1, min(next(cuts), len(room)))]
        room[: len(piece)] = piece
        at += len(piece)
        for one in demux.took(len(piece)):
            made.append((one[0], bytes(one[1])) if isinstance(one, tuple) else one)
    return made


@_MOST
@given(
    st.lists(st.one_of(st.tuples(st.integers(0, 255), st.binary(max_size=300)), st.just(None)), max_size=12),
    st.integers(0, 2**32),
)
def test_packets_and_answers_come_out_whatever_the_cuts(
    items: list[tuple[int, bytes] | None], seed: int
) -> None:
    rng = random.Random(seed)
    octets = b"".join(framed(*one) if one else _ANSWER for one in items)
    made = fed(Demux(70_000), octets, iter(lambda: rng.randint(1, 400), None))
    assert [one for one in made if isinstance(one, tuple)] == [one for one in items if one]
    answers = [one for one in made if isinstance(one, Answer)]
    assert [one.body for one in answers] == [b"$$$$"] * items.count(None)


@_MOST
@given(st.binary(max_size=3000), st.integers(1, 500))
@example(b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n", 7)
@example(b"A" * 20_000, 500)
def test_any_octets_on_the_connection_are_taken_or_refused_by_type(octets: bytes, cut: int) -> None:
    with contextlib.suppress(BadStream):
        fed(Demux(70_000), octets, iter(lambda: cut, None))


def test_a_request_has_no_line_break_of_somebody_elses() -> None:
    with pytest.raises(ValueError, match="line break"):
        request("PLAY", "rtsp://h/a\r\nX: 1", 1, {})


def test_digests_are_those_of_the_standards_examples() -> None:
    uri, cnonce = "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    realm = "http-auth@example.org"
    said = [
        f'Digest realm="{realm}", qop="auth, auth-int", algorithm={name}, nonce="{nonce}", opaque="FQhe"'
        for name in ("MD5", "SHA-256")
    ]
    best = login.strongest([*said, 'Basic realm="x"'])
    assert best.algorithm == "sha-256"
    proof = login.authorization(best, "Mufasa", "Circle of Life", "GET", uri, 1, cnonce)
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in proof
    proof = login.authorization(login.strongest(said[:1]), "Mufasa", "Circle of Life", "GET", uri, 1, cnonce)
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in proof
    assert "Circle" not in proof
    old = login.strongest(['Digest realm="r", nonce="n"'])
    assert "qop" not in login.authorization(old, "u", "p", "GET", "/", 1, "c")
    with pytest.raises(NotUnderstood):
        login.strongest(['Digest realm="r", nonce="n", algorithm=SHA-512-256', "Negotiate"])


@pytest.mark.parametrize(
    "spoilt",
    [
        ("packetization-mode=1", "packetization-mode=2"),
        ("H264/90000", "JPEG/90000"),
        ("RTP/AVP", "RTP/SAVP"),
        ("m=video 0", "m=application 0"),
        ("RTP/AVP 96", "RTP/AVP"),
        ("a=rtpmap", "a=crypto:1 x\r\na=rtpmap"),
    ],
)
def test_a_description_that_is_not_understood_is_said_by_type(spoilt: tuple[str, str]) -> None:
    stream = coded("h264")
    text = f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {stream.rtpmap}\r\na=fmtp:96 {stream.fmtp}\r\n"
    assert description.read(text.encode(), sound=True).video.coding == "h264"
    with pytest.raises(NotUnderstood):
        description.read(text.replace(*spoilt).encode(), sound=True)


@_MOST
@given(
    st.lists(
        st.sampled_from(("m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 97", "m=", "a=rtpmap:96 H265/90000"))
        | st.text(max_size=60),
        max_size=9,
    )
)
def test_any_description_is_read_or_refused_by_type(lines: list[str]) -> None:
    with contextlib.suppress(NotUnderstood):
        description.read("\n".join(lines).encode("utf-8", "replace"), sound=True)


@pytest.mark.parametrize(("codec", "kind"), [("h264", H264), ("h265", H265)])
def test_pictures_come_out_as_they_were_coded_over_the_wrap_of_sequence_and_time(
    codec: str, kind: type[Pictures]
) -> None:
    stream = coded(codec)
    source = Source("cam-a", 0, 90_000, 96)
    wraps = (2**32 - source.ssrc - 5 * 9000) % 2**32
    made, pictures = taken_apart(kind, [one for group in packets(stream, jumped=wraps) for one in group])
    assert len(made) == len(stream.pictures)
    assert [one.is_key for one in made] == [one.is_key for one in stream.pictures]
    assert {after.time - before.time for before, after in itertools.pairwise(made)} == {9000}
    assert made[0].sets == stream.sets
    assert pictures.left_out == 0


def test_aggregated_units_are_the_same_picture() -> None:
    stream = coded("h264")
    sps, pps = stream.sets
    slice_ = b"\x65" + b"\x80" + bytes(range(200))
    together = b"\x18" + b"".join(struct.pack(">H", len(one)) + one for one in (sps, pps, slice_))
    source = Source("cam-a", 0, 90_000, 96)
    [made], _ = taken_apart(H264, [source.packet(together, 0, marker=True)])
    source = Source("cam-a", 0, 90_000, 96)
    apart = [source.packet(one, 0, marker=one is slice_) for one in (sps, pps, slice_)]
    assert made == taken_apart(H264, apart)[0][0]
    vps = coded("h265").sets[0]
    both = b"\x60\x01" + b"".join(
        struct.pack(">H", len(one)) + one for one in (vps, b"\x26\x01" + slice_[1:])
    )
    [picture], _ = taken_apart(H265, [source.packet(both, 9000, marker=True)])
    assert (picture.is_key, picture.sets) == (True, (vps,))


class Careless(H264):
    """A mutant: what is missing is not noticed."""

    def take(self, taken: tuple[bool, int, memoryview, bool]) -> Picture | None:
        return super().take((*taken[:3], False))

    def _finish(self) -> Picture | None:
        self._is_whole = self._is_whole or self._fragment_at < 0
        return super()._finish()


def broken(kind: type[Pictures], seed: int) -> int:
    """Pictures that came out and are not as coded, or follow one that is missing; after losing packets."""
    stream, rng = coded("h264"), random.Random(seed)
    whole = {bytes(one.octets): n for n, one in enumerate(taken_apart(kind, flat(packets(stream)))[0])}
    first, *others = flat(packets(stream))  # what is missing before the first packet nobody can know
    sent = [first, *(one for one in others if rng.random() > 0.05)]
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(sent) - 1)
        sent[at], sent[at + 1] = sent[at + 1], sent[at]
    made, _ = taken_apart(kind, sent)
    wrong, before = 0, -2
    for one in made:
        number = whole.get(bytes(one.octets), -9)
        wrong += number < 0 or not (one.is_key or number == before + 1)
        before = number
    return wrong


def test_after_a_loss_nothing_comes_out_that_is_not_whole_or_refers_to_what_is_missing() -> None:
    assert sum(broken(H264, seed) for seed in range(60)) == 0


def test_the_check_finds_a_loss_that_is_not_noticed() -> None:
    assert sum(broken(Careless, seed) for seed in range(60)) > 0


@_MOST
@given(
    st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 5), st.booleans()), max_size=40), st.booleans()
)
def test_any_packets_give_pictures_or_a_typed_error(sent: list[tuple[bytes, int, bool]], hevc: bool) -> None:
    source = Source("cam-a", 0, 90_000, 96)
    made = [source.packet(payload, ticks, marker=marker) for payload, ticks, marker in sent]
    with contextlib.suppress(NotUnderstood, BadStream):
        taken_apart(H265 if hevc else H264, made)


@_MOST
@given(st.lists(st.binary(max_size=80), max_size=30))
def test_any_octets_as_packets_and_reports_and_sound_raise_nothing(sent: list[bytes]) -> None:
    receiver, aac, law = Receiver(96), Aac(), G711(2)
    for octets in sent:
        sender_report(memoryview(octets), 0.0)
        for packet in (octets, b"\x80\x60" + octets, b"\xbf\x60" + octets):
            taken = receiver.take(memoryview(packet))
            if taken is not None:
                aac.take(taken)
                law.take(taken)
    assert len(receiver.report(1, 5.0)) == 48


def test_a_unit_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    source, pictures, receiver = Source("cam-a", 0, 90_000, 96), H264(), Receiver(96)
    body = bytes(60_000)

    def send() -> None:
        for number in range(2 * PICTURE_MOST_BYTES // len(body)):
            head = b"\x7c\x85" if not number else b"\x7c\x05"
            taken = receiver.take(memoryview(source.packet(head + body, 0, marker=False)))
            assert taken is not None
            pictures.take(taken)

    with pytest.raises(BadStream, match="16 MiB"):
        send()


def test_strangers_are_counted_and_a_source_that_took_over_is_noticed() -> None:
    own, receiver = Source("cam-a", 0, 90_000, 96), Receiver(96, Source("cam-a", 0, 90_000, 96).ssrc)
    for number in range(100):
        assert receiver.take(memoryview(own.foreign(number))) is None
        assert receiver.take(memoryview(own.packet(b"\x41x", number, marker=True))) is not None
    assert (receiver.strangers, receiver.lost, receiver.is_replaced) == (100, 0, False)
    for number in range(64):
        receiver.take(memoryview(own.foreign(number)))
    assert receiver.is_replaced


def test_a_camera_that_counts_anew_is_followed_and_late_packets_are_not() -> None:
    receiver, made = Receiver(96), []
    for sequence in (10, 11, 13, 12, 13, 14, 5000, 5001, 9, 10, 11, 12, 13):
        packet = struct.pack(">BBHII", 0x80, 96, sequence, 1, 7) + b"x"
        taken = receiver.take(memoryview(packet))
        made.append(None if taken is None else taken[3])
    assert made == [False, False, True, None, None, False, True, False, None, None, None, True, False]


def assembled(stream: Stream, sent: Iterable[bytes], **more: str) -> list[Init | Fragment]:
    assembler, receiver = Assembler(announced(stream, **more)), Receiver(96)
    made: list[Init | Fragment] = []
    for packet in sent:
        made += assembler.video(receiver, memoryview(packet), 0.0)
    return [*made, *assembler.flush()]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_what_is_assembled_is_what_the_parser_reads(codec: str) -> None:
    stream = coded(codec)
    made = assembled(stream, [one for group in packets(stream) for one in group])
    assert list(Parser().feed(b"".join(one.octets for one in made))) == made
    fragments = [one for one in made if isinstance(one, Fragment)]
    assert [one.duration for one in fragments] == [45_000] * 6
    assert [one.starts_with_key for one in fragments] == [True, False] * 3


def test_pictures_out_of_order_are_ffmpegs_and_a_clock_that_leapt_back_is_a_jump() -> None:
    stream = coded("h264")
    groups = packets(stream)
    with pytest.raises(NotUnderstood, match="order"):
        assembled(stream, flat([groups[0], *_renumbered(stream, [3, 1, 2])]))
    back = packets(stream, jumped=-3600 * 90_000, first_sequence=65_500 + sum(map(len, groups)))
    with pytest.raises(CameraTrouble, match="jumped back by 36") as caught:
        assembled(stream, flat([*groups, *back]))
    assert caught.value.kind == "jump"


def _renumbered(stream: Stream, order: list[int]) -> list[list[bytes]]:
    """Pictures sent after the first with these numbers as their times."""
    source = Source("cam-a", 0, 90_000, 96, sequence=65_500 + len(stream.pictures[0].payloads))
    return [
        [source.packet(one, number * 9000, marker=True) for one in stream.pictures[at].payloads]
        for at, number in enumerate(order, 1)
    ]


def test_sound_stands_beside_the_picture_with_which_it_was_taken() -> None:
    stream = coded("h264")
    description_ = announced(stream, "m=audio 0 RTP/AVP 8\r\n")
    video, sound = Source("cam-a", 0, 90_000, 96), Source("cam-a", 1, 8000, 8)
    starts = video.timestamp(0), sound.timestamp(0)
    assembler, receivers = Assembler(description_, starts), (Receiver(96), Receiver(8))
    made: list[Init | Fragment] = []
    for number, picture in enumerate(stream.pictures):
        for payload in picture.payloads:
            packet = video.packet(payload, number * 9000, marker=False)
            made += assembler.video(receivers[0], memoryview(packet), number * 0.1 + 0.3)
        for step in range(5):
            packet = sound.packet(bytes((number,)) * 160, number * 800 + step * 160, marker=True)
            assembler.sound(receivers[1], memoryview(packet), number * 0.1 + 0.4)
    made += assembler.flush()
    init = made[0]
    assert isinstance(init, Init)
    heard = 0
    for fragment in made[1:]:
        assert isinstance(fragment, Fragment)
        samples, at = sound_of(fragment, init)
        assert fragment.octets[at] == heard // 800
        heard += sum(one.duration for one in samples)
    assert heard == 24_000


def test_a_config_of_aac_is_needed_and_is_lc() -> None:
    form = "streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
    for config, good in (("1408", True), ("2b8a0800", False), ("", False)):
        sound = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
        sound += f"a=fmtp:97 {form};config={config}\r\n"
        if good:
            assert announced(coded("h264"), sound).sound is not None
        else:
            with pytest.raises(NotUnderstood):
                announced(coded("h264"), sound)
    assert base64.b64encode(coded("h264").sets[0]).decode() in coded("h264").fmtp


def _through(octets: bytes, stream: Stream, rng: random.Random) -> int:
    """Pictures recorded of what came on the connection, in any cuts; typed errors end it."""
    demux, assembler, receiver = Demux(), Assembler(announced(stream)), Receiver(96)
    made: list[Init | Fragment] = []
    at = 0
    try:
        while at < len(octets):
            room = demux.room()
            piece = octets[at : at + min(rng.randint(1, 40_000), len(room))]
            room[: len(piece)] = piece
            at += len(piece)
            for one in demux.took(len(piece)):
                if isinstance(one, tuple):
                    made += assembler.video(receiver, one[1], 0.0)
    except (BadStream, NotUnderstood, CameraTrouble):
        pass
    made += assembler.flush()
    assert list(Parser().feed(b"".join(one.octets for one in made))) == made
    return sum(len(one.samples) for one in made if isinstance(one, Fragment))


def _damaged(octets: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(octets)
    for _ in range(rng.randint(1, 30)):
        at = rng.randrange(len(spoilt))
        match rng.randrange(4):
            case 0:
                spoilt[at] ^= 1 << rng.randrange(8)
            case 1:
                del spoilt[at : at + rng.randint(1, 3000)]
            case 2:
                spoilt[at:at] = rng.randbytes(rng.randint(1, 300))
            case _:
                spoilt[at : at + 4] = rng.choice((b"$\0\xff\xff", b"RTSP", b"\0\0\0\1", b"\r\n\r\n"))
    return bytes(spoilt)


@pytest.mark.parametrize("trials", [60, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_damaged_stream_gives_readable_fragments_or_a_typed_error(codec: str, trials: int) -> None:
    stream, rng = coded(codec), random.Random(trials)
    octets = b"".join(framed(0, packet) for packet in flat(packets(stream)))
    assert _through(octets, stream, rng) == len(stream.pictures)
    kept = [_through(_damaged(octets, rng), stream, rng) for _ in range(trials)]
    assert max(kept) <= len(stream.pictures)
    assert 0 < sum(kept) < trials * len(stream.pictures)


def test_a_camera_whose_time_hardly_goes_on_does_not_fill_the_memory() -> None:
    stream, source = coded("h264"), Source("cam-a", 0, 90_000, 96)
    assembler, receiver = Assembler(announced(stream)), Receiver(96)
    key = [*stream.sets, b"\x65\x80" + bytes(60_000)]
    made: list[Init | Fragment] = []
    for tick in range(400):
        for unit in key if not tick else [b"\x41\x80" + bytes(60_000)]:
            packet = source.packet(unit, tick, marker=len(unit) > 1000)
            made += assembler.video(receiver, memoryview(packet), 0.0)
    sizes = [len(one.octets) for one in made if isinstance(one, Fragment)]
    assert len(sizes) == 2
    assert max(sizes) < PENDING_MOST_BYTES + 100_000
