"""A clip as it lies at the hub while it is coming."""

import subprocess
from pathlib import Path


def film(folder: Path, *more: str, bframes: int = 0) -> Path:
    """Four seconds, moov first, as a node sends them."""
    path = folder / "clip.part"
    source = ("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=4")
    coding = f"-c:v libx264 -bf {bframes} -g 10 -pix_fmt yuv420p -movflags +faststart".split()
    command = ("ffmpeg", "-v", "error", *source, *more, *coding, "-f", "mp4", str(path))
    subprocess.run(command, check=True, timeout=60)
    return path
