"""The pictures of the reference, made by the links themselves when the site is built."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

import maillon
from reference.pictures import curves, images, trainings

OPTIONS = {"svg.hashsalt": "maillon", "font.size": 9, "axes.titlesize": 10}


def pictures() -> dict[str, tuple[Callable[[], Figure], str]]:
    """By the name behind `maillon.`: what draws it, and what it shows, in words."""
    return {
        **curves.activations(),
        **curves.losses(),
        **images.pictures(),
        **trainings.schedules(),
        **trainings.rules(),
    }


def write(folder: Path) -> dict[str, tuple[str, bool]]:
    """Draw what is missing, all of it when the links or these files have changed.

    Returns the words of each, and whether it is wide: it then keeps its size on a narrow page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp, now = folder / "stamp", _stamp()
    if not stamp.exists() or stamp.read_text() != now:
        for old in folder.glob("*.svg"):
            old.unlink()
    made = pictures()
    for name, (draw, _) in made.items():
        path = folder / f"{name}.svg"
        if not path.exists():
            with rc_context(OPTIONS):
                draw().savefig(path, format="svg", metadata={"Date": None})
    stamp.write_text(now)
    wide = images.pictures()
    return {name: (words, name in wide and not name.endswith("1d")) for name, (_, words) in made.items()}


def _stamp() -> str:
    package = Path(maillon.__file__).parent
    files = [*Path(__file__).parent.glob("*.py"), *(package / "nn").rglob("*.py"), *(package / "optim").rglob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
