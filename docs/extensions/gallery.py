"""How sphinx-gallery runs our scripts: short, without network, and where it finds what they have drawn."""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "build" / "docs" / "gallery"
ORDER = (
    *("convolutional_mnist", "recurrent_addition", "transformer_characters"),
    *("autoencoder_variational", "gan_two_clusters", "reinforce_cart_pole"),
    *("linear", "binary", "encapsulation", "mnist", "autoencoder"),
)
DESCRIBED = re.compile(r"!\[([^]]+)\]\(images/(\w+)\.png\)")


def folder(script: str | Path) -> Path:
    """Where a script puts its pictures."""
    return MADE / Path(script).stem


def arguments(gallery_conf: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """What every example is called with."""
    return ["--quick", "--out", str(folder(script["src_file"]))]


def stay_here(gallery_conf: dict[str, Any], name: str) -> None:
    """Data sets that are not on this machine are not fetched: what stands in for them is used, and says so."""
    from maillon.data import mnist

    mnist.bring_into_cache = lambda *_: ["the build of the site downloads nothing"]


def pictures(block: Any, variables: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """The pictures that a piece of a script has written, in the order of their writing, each with its words."""
    shown = []
    made = folder(variables["src_file"])
    for picture in sorted(made.glob("*.png"), key=lambda path: path.stat().st_mtime_ns):
        place = Path(next(variables["image_path_iterator"]))
        words = _words(picture)
        shutil.move(picture, place)
        shown.append(figure_rst([str(place)], gallery_conf["src_dir"], words))
    return "\n".join(shown)


def _words(picture: Path) -> str:
    """What a picture shows: it stands beside the picture, or on the page of the pictures."""
    beside = picture.with_suffix(".txt")
    if beside.exists():
        return beside.read_text(encoding="utf-8")
    described = {name: words for words, name in DESCRIBED.findall((ROOT / "docs" / "gallery.md").read_text("utf-8"))}
    return described[picture.stem]


def order(script: str) -> int:
    """The place of a script in its gallery."""
    return ORDER.index(Path(script).stem)
