"""What a node tells of its footage every minute: stretches that grew since the last telling. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from siaga_core.wire.recording import CameraCoverage


@dataclass(frozen=True, slots=True)
class Stretch:
    """Unbroken footage of one camera, nanoseconds of the boot clock."""

    start_boot_ns: int
    end_boot_ns: int


@dataclass(slots=True)
class Coverage:
    """Stretches of this boot, and how much of each was told."""

    _stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    _told: dict[str, Stretch] = field(default_factory=dict)

    def grew(self, camera: str, start_boot_ns: int, end_boot_ns: int) -> None:
        """Footage of `camera` is durable from its begin up to `end_boot_ns`."""
        stretches = self._stretches.setdefault(camera, [])
        if stretches and stretches[-1].start_boot_ns == start_boot_ns:
            stretches.pop()
        stretches.append(Stretch(start_boot_ns, end_boot_ns))

    def tell(self, now_boot_ns: int, kept_ago_s: Mapping[str, int]) -> tuple[CameraCoverage, ...]:
        """What is news. A camera whose stream broke off and began again is named once for each stretch."""
        said: list[CameraCoverage] = []
        for camera, stretches in self._stretches.items():
            for one in stretches:
                told = self._told.get(camera)
                if one == told:
                    continue
                goes_on = told is not None and told.start_boot_ns == one.start_boot_ns
                since_ms = None if goes_on else _ago_ms(now_boot_ns, one.start_boot_ns)
                upto_ms = _ago_ms(now_boot_ns, one.end_boot_ns)
                kept_s = kept_ago_s.get(camera, _ago_ms(now_boot_ns, one.start_boot_ns) // 1000)
                said.append(
                    CameraCoverage(
                        camera=camera, upto_ago_ms=upto_ms, since_ago_ms=since_ms, kept_ago_s=max(0, kept_s)
                    )
                )
                self._told[camera] = one
            del stretches[:-1]
        return tuple(said)


def _ago_ms(now_boot_ns: int, boot_ns: int) -> int:
    return max(0, now_boot_ns - boot_ns) // 1_000_000
