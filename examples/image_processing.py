"""Image processing: a folder of pictures, one array job, a thumbnail and a measure for each.

`python examples/image_processing.py [FOLDER]` takes PNG and JPEG files; without a folder it draws
some. Pillow must be installed (`pip install pillow`). A picture travels as its bytes, because a job
does not see this folder, and the thumbnail comes back the same way; a broken file fails alone and is
named, all others are kept.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import nbbatch as nb

SIDE = 128


def measure(name: str, data: bytes) -> tuple[str, float, bytes]:
    """A picture's name, its sharpness (variance of its edges), and a small JPEG of it."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    edges = np.asarray(picture.convert("L").filter(ImageFilter.FIND_EDGES), dtype=float)
    picture.thumbnail((SIDE, SIDE))
    small = io.BytesIO()
    picture.save(small, "JPEG", quality=80)
    return name, float(edges.var()), small.getvalue()


def draw(folder: Path, count: int = 12) -> None:
    """Some pictures, the later the more blurred, and a file that is no picture."""
    rng = np.random.default_rng(1)
    for number in range(count):
        noise = Image.fromarray(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))
        noise.filter(ImageFilter.GaussianBlur(number / 4)).save(folder / f"picture-{number:02}.png")
    (folder / "broken.png").write_bytes(b"no picture")


def main() -> None:
    """Measure all pictures of a folder, and list them by sharpness."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        if len(sys.argv) == 1:
            draw(folder)
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".jpeg"))
        pictures = [(path.name, path.read_bytes()) for path in paths]
        runs = nb.map(lambda picture: measure(*picture), pictures, name="pictures", memory="512M")
        for item in sorted(runs.items(), key=lambda item: item.value[1] if item.value else -1.0):
            if item.error is not None:
                print(f"{item.input[0]}: {item.error}".partition("\n")[0])
                continue
            name, sharpness, small = item.value
            print(f"{name}: sharpness {sharpness:8.1f}, thumbnail {len(small):,} bytes")


if __name__ == "__main__":
    main()
