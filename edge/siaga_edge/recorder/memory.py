"""How the C library hands out the recorder's large blocks: read into the same memory again and again."""

import ctypes

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# More than a read of the largest fragment; else each fragment is mapped, filled with zeros, and unmapped.
_MAPPED_ALONE_BYTES = 4 * 1024**2
_GIVEN_BACK_BYTES = 16 * 1024**2


def keep_large_blocks() -> None:
    """Serve all threads from one heap that keeps its size; of use only before the first thread.

    A second of 4 Mbit/s took a camera's thread 1.6 ms of CPU, and takes 1.2 ms so (docs/decisions/0016).
    A C library without these knobs (musl) is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_ALONE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _GIVEN_BACK_BYTES)
