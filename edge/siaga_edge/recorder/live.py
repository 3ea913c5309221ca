"""The newest pictures of one camera in memory, for whoever judges or shows them.

`init.mp4` is what a decoder needs first; `<number>.m4s` begins with a key picture and can be decoded alone,
`<number>-on.m4s` goes on from the one before. Together they are the last group of pictures and a little more.
"""

from pathlib import Path

from siaga_edge.recorder.fragments import Fragment, Init

# So many fragments stay at least, so that a reader finds what it has just seen in the folder.
LIVE_KEPT = 4
# A camera with groups of 20 s at 8 Mbit/s: what is more is not shown until the next key picture.
LIVE_MOST_BYTES = 24 * 1024**2


class LiveRing:
    """Writes one camera's folder; a recorder that starts empties it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._kept: list[tuple[str, bool, int]] = []  # name, begins with a key picture, octets
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()

    def begin(self, init: Init) -> None:
        """Publish what a decoder needs first; fragments of other parameters go before it."""
        for name, _, _ in self._kept:
            (self._folder / name).unlink(missing_ok=True)
        self._kept.clear()
        self._publish("init.mp4", init.octets)

    def add(self, fragment: Fragment) -> None:
        """Publish a fragment; what the last group does not need gives way."""
        key = fragment.starts_with_key
        if not key and (
            not self._kept or sum(size for _, _, size in self._kept) + len(fragment.octets) > LIVE_MOST_BYTES
        ):
            return
        self._number += 1
        name = f"{self._number:010d}{'' if key else '-on'}.m4s"
        self._publish(name, fragment.octets)
        self._kept.append((name, key, len(fragment.octets)))
        self._give_way()

    def _give_way(self) -> None:
        """Whole groups go, so that the oldest fragment always begins with a key picture."""
        keys = [number for number, (_, key, _) in enumerate(self._kept) if key]
        spare = max((at for at in keys if len(self._kept) - at >= LIVE_KEPT), default=0)
        for name, _, _ in self._kept[:spare]:
            (self._folder / name).unlink(missing_ok=True)
        del self._kept[:spare]

    def _publish(self, name: str, octets: bytes) -> None:
        part = self._folder / f".{name}"
        part.write_bytes(octets)
        part.replace(self._folder / name)
