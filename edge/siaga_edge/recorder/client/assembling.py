"""Packets of one stream in, header and fragments out, as ffmpeg would hand them on. Pure."""

from collections.abc import Iterator, Sequence

from siaga_edge.recorder import parameters
from siaga_edge.recorder.client import muxing
from siaga_edge.recorder.client.audio import G711, Aac, Heard
from siaga_edge.recorder.client.description import Announced, Description
from siaga_edge.recorder.client.messages import NotUnderstood
from siaga_edge.recorder.client.packets import Receiver, SenderReport, Taken
from siaga_edge.recorder.client.units import H264, H265, Picture
from siaga_edge.recorder.fragments import BadStream, Fragment, Init
from siaga_edge.recorder.trouble import CameraTrouble

# As ffmpeg is told (ffmpeg.FRAGMENT_US): the first picture after this ends a fragment of at most 500 ms.
FRAGMENT_TICKS = 41_400
# Pictures that are seen earlier than the one before by less are out of order; by more, the clock leapt back.
ORDER_MOST_TICKS = 2 * 90_000
# A stream without a key picture this long has other entry points, which ffmpeg may know.
KEY_WITHIN_TICKS = 15 * 90_000
# What a camera says of two tracks' clocks is believed as far as it agrees with when they came.
SYNC_MOST_S = 3.0
# Two reports of which one is older than this say nothing of each other.
_REPORTS_APART_MOST_S = 600.0
# 10 s of packets of 20 ms; of the largest packets 32 MiB.
_SOUND_MOST = 512
# With the largest picture and the most sound a fragment stays below fragments.BOX_MOST_BYTES.
PENDING_MOST_BYTES = 8 * 1024**2


class Assembler:
    """One run of one stream."""

    def __init__(
        self, description: Description, starts: tuple[int | None, int | None] = (None, None)
    ) -> None:
        """`starts`: RTP times of video and sound at one moment, as RTP-Info says."""
        self._video, self._sound = description.video, description.sound
        self._pictures = H265() if self._video.coding == "h265" else H264()
        self._voice = _Voice(description.sound, starts) if description.sound else None
        self._init: Init | None = None
        self._first = 0  # time of the first picture
        self._first_seen: int | None = None  # time of the first packet
        self._newest = (-1, 0.0)  # time of the newest picture before the first is whole, and when it came
        self._lasts = FRAGMENT_TICKS // 10
        self._held: Picture | None = None  # whose duration the next tells
        self._pending: list[tuple[Picture, int]] = []
        self._pending_bytes = 0
        self._number = 0

    @property
    def left_out(self) -> int:
        """Pictures that were not whole, or could not be decoded without those."""
        return self._pictures.left_out

    def video(self, receiver: Receiver, packet: memoryview, now_mono_s: float) -> Sequence[Init | Fragment]:
        """A packet of the pictures. Raises BadStream, NotUnderstood, CameraTrouble: a leap back."""
        taken = receiver.take(packet)
        if taken is None:
            return ()
        picture = self._pictures.take(taken)
        if picture is not None:
            return tuple(self._picture(picture))
        if self._init is None:
            self._wait(taken[1], now_mono_s)
        return ()

    def sound(self, receiver: Receiver, packet: memoryview, now_mono_s: float) -> None:
        """A packet of the sound."""
        taken = receiver.take(packet)
        if taken is not None and self._voice is not None:
            self._voice.take(taken, now_mono_s)

    def reported(self, track: int, report: SenderReport) -> None:
        """The camera's clock beside the time of a track: 0 the pictures', 1 the sound's."""
        if self._voice is not None:
            self._voice.reported(track, report)

    def flush(self) -> Iterator[Fragment]:
        """What is whole at the end; the last picture is as long as the one before it."""
        last = self._pictures.flush()
        if last is not None and self._held is not None and last.time > self._held.time:
            self._pending.append((self._held, last.time - self._held.time))
            self._held = last
        if self._held is not None:
            self._pending.append((self._held, self._lasts))
            self._held = None
        if self._pending:
            yield self._emit()

    def _wait(self, time: int, now_mono_s: float) -> None:
        if time != self._newest[0]:
            self._newest = time, now_mono_s
        if self._first_seen is None:
            self._first_seen = time
        elif abs(time - self._first_seen) > KEY_WITHIN_TICKS:
            raise NotUnderstood(f"no key picture within {KEY_WITHIN_TICKS // 90_000} s")

    def _picture(self, picture: Picture) -> Iterator[Init | Fragment]:
        if self._init is None:
            self._first = picture.time
            if self._voice is not None:
                self._voice.begin(picture.time, self._newest[1])
            self._init = self._header(picture)
            yield self._init
        if self._held is not None:
            self._pending.append((self._held, self._lasted(self._held, picture)))
            self._pending_bytes += len(self._held.octets)
            is_long = picture.time - self._pending[0][0].time >= FRAGMENT_TICKS
            if picture.is_key or is_long or self._pending_bytes >= PENDING_MOST_BYTES:
                yield self._emit()
        self._held = picture

    def _lasted(self, before: Picture, after: Picture) -> int:
        lasts = after.time - before.time
        if lasts > 0:
            self._lasts = min(lasts, FRAGMENT_TICKS)
            return lasts
        if lasts > -ORDER_MOST_TICKS:
            raise NotUnderstood("pictures that are not seen in the order in which they are sent")
        raise CameraTrouble("jump", f"the camera's time jumped back by {-lasts / 90_000:.1f} s")

    def _header(self, picture: Picture) -> Init:
        """By the sets in the first picture; those that it lacks are the description's."""
        hevc = self._video.coding == "h265"
        found = parameters.Sets(hevc, tuple(dict.fromkeys(picture.sets)))
        said = parameters.Sets(hevc, self._video.sets)
        kinds = self._pictures.set_kinds
        units = tuple(unit for kind in kinds for unit in found.of_kind(kind) or said.of_kind(kind))
        try:
            return muxing.header(self._video, parameters.Sets(hevc, units), self._sound)
        except BadStream as error:
            raise NotUnderstood(f"parameter sets: {error}") from error

    def _emit(self) -> Fragment:
        self._number += 1
        pictures, self._pending, self._pending_bytes = self._pending, [], 0
        begin = pictures[0][0].time - self._first
        at, heard = self._voice.due() if self._voice else (0, [])
        return muxing.fragment(self._number, begin, pictures, at, heard)


class _Voice:
    """The sound that waits for its fragment, and where it belongs beside the pictures.

    What the camera's reports say counts most, then RTP-Info, then when it came.
    """

    def __init__(self, sound: Announced, starts: tuple[int | None, int | None]) -> None:
        self._rate_hz, self._starts = sound.rate_hz, starts
        self._samples = Aac() if sound.coding == "aac" else G711(sound.channels)
        self._waiting: list[Heard] = []
        self._first_picture: tuple[int, float] | None = None  # time, and when it came
        self._first_heard: tuple[int, float] | None = None
        self._base: int | None = None  # time of the sound when the first picture is seen
        self._is_reported = False
        self._reports: dict[int, SenderReport] = {}

    def begin(self, time: int, came_mono_s: float) -> None:
        """The first picture, and when its first packet came."""
        self._first_picture = time, came_mono_s
        self._anchor()

    def take(self, taken: Taken, now_mono_s: float) -> None:
        """A packet of sound."""
        made = self._samples.take(taken)
        if made and self._first_heard is None:
            self._first_heard = made[0].time, now_mono_s
            self._anchor()
        self._waiting += made
        if len(self._waiting) > _SOUND_MOST:
            del self._waiting[:-_SOUND_MOST]

    def reported(self, track: int, report: SenderReport) -> None:
        """Once both tracks are reported their clocks are one; once, so that sound does not wander."""
        self._reports[track] = report
        self._anchor()

    def _anchor(self) -> None:
        if self._first_picture is None or self._first_heard is None:
            return
        first, came_mono_s = self._first_picture
        if self._base is None:
            time, heard_mono_s = self._first_heard
            self._base = time - round((heard_mono_s - came_mono_s) * self._rate_hz)
            pictures, sound = self._starts
            if pictures is not None and sound is not None:
                self._believe(sound + round(_signed(first - pictures) * self._rate_hz / 90_000))
        if not self._is_reported and len(self._reports) == 2:
            self._is_reported = True
            said, heard = self._reports[0], self._reports[1]
            apart_s = (said.ntp - heard.ntp) / 2**32 - _signed(said.stamp - first) / 90_000
            if abs(apart_s) < _REPORTS_APART_MOST_S:
                self._believe(heard.stamp + round(apart_s * self._rate_hz))

    def due(self) -> tuple[int, list[Heard]]:
        """What goes into the next fragment, and its decoding time; not what came before the pictures."""
        waiting, self._waiting = self._waiting, []
        if self._base is None:
            return 0, []
        waiting = [one for one in waiting if one.time >= self._base]
        if not waiting:
            return 0, []
        begin = waiting[0].time - self._base
        return begin, [_lasting(one, after) for one, after in zip(waiting, [*waiting[1:], None], strict=True)]

    def _believe(self, base: int) -> None:
        """Take it if it is near what is thought already."""
        assert self._base is not None
        off = _signed(base - self._base)
        if abs(off) <= SYNC_MOST_S * self._rate_hz:
            self._base += off


def _signed(difference: int) -> int:
    """The shortest way between two times of 32 bits."""
    difference &= 0xFFFFFFFF
    return difference - (difference >> 31 << 32)


def _lasting(one: Heard, after: Heard | None) -> Heard:
    """Until the next begins, if that is soon: sound that is missing in between is silence."""
    if after is None or after.time == one.time + one.lasts:
        return one
    lasts = after.time - one.time
    return Heard(one.time, lasts, one.octets) if one.lasts // 2 < lasts <= 100 * one.lasts else one
