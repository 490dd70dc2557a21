"""The autoencoder's plane: where the groups of classes lie, and how to walk about in it."""

import numpy as np
from scipy.spatial import Delaunay

from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import GROUPS, Stage
from maillon.report.chapter import Chapter
from maillon.report.images import SIDE, ImageSplit
from maillon.report.latent_page import latent_fragment
from maillon.report.measures import between, dispersion, neighbour_share, separation
from maillon.report.verdicts import because, judged
from maillon.typing import Array

APART = 0.9  # share of shoes and tops on their own side


def latent(chapter: Chapter, split: ImageSplit, stage: Stage, known: Array) -> None:
    """Table 4, Figure 21, the same to walk about in, and what the report says of it; `known` are training codes."""
    chapter.heading("The latent space")
    if split.shortfall:
        chapter.text("With the stand-in, the names of the groups mean no more than the numbers of their classes.")
    chapter.table(
        "The groups by which the plane is coloured.",
        ["group", "classes"],
        [[name, ", ".join(split.class_names[label] for label in labels)] for name, labels in GROUPS.items()],
        "Table 4",
    )
    chapter.figure(
        "figure-21",
        figures.latent(stage.codes, split.y_test, GROUPS),
        f"The codes of the {len(split.y_test):,} test images after {stage.epochs} epochs: the two outputs of the "
        "encoder's last `Linear`, before the `Tanh` that leads on to the decoder.",
        "Figure 21",
    )
    chapter.text("The same plane to walk about in, which the report could not print:")
    images = split.x_test.reshape(-1, SIDE, SIDE)
    chapter.html(latent_fragment(stage.codes, split.y_test, images, split.class_names, GROUPS))
    clouds = {name: stage.codes[np.isin(split.y_test, labels)] for name, labels in GROUPS.items()}
    chapter.table(
        "How far the groups spread: root mean square distance from their centroids.",
        ["group", "test images", "dispersion"],
        [[name, len(cloud), f"{dispersion(cloud):.3f}"] for name, cloud in clouds.items()],
    )
    _shoes_and_tops(chapter, clouds)
    _trousers(chapter, clouds, known, split.y_train)
    _bags(chapter, clouds)


def _shoes_and_tops(chapter: Chapter, clouds: dict[str, Array]) -> None:
    settings = chapter.settings
    sides, silhouette = separation(clouds["shoes"], clouds["tops"])
    apart = sides >= APART
    chapter.claim(
        "autoencoder-latent-apart",
        "5.4, shoes and tops",
        "clearly apart",
        round(100 * sides, 1),
        judged(settings, apart),
        because(
            settings,
            f"{sides:.1%} of the shoes and tops are nearer to their own centroid than to the other, "
            f"{'above' if apart else 'below'} the threshold of {APART:.0%}; the mean silhouette is {silhouette:.2f}.",
        ),
        "% nearer to their own centroid",
    )
    shoes, tops = dispersion(clouds["shoes"]), dispersion(clouds["tops"])
    chapter.claim(
        "autoencoder-latent-dispersed",
        "5.4, dispersion",
        "shoes more dispersed than tops",
        [round(shoes, 3), round(tops, 3)],
        judged(settings, shoes > tops),
        because(
            settings,
            f"The shoes spread by {shoes:.2f} about their centroid, the tops by {tops:.2f}: "
            f"{'more' if shoes > tops else 'less'}. Five classes make the tops, three the shoes.",
        ),
        "shoes and tops, root mean square distance",
    )


def _trousers(chapter: Chapter, clouds: dict[str, Array], known: Array, labels: Array) -> None:
    settings = chapter.settings
    others = ~np.isin(labels, GROUPS["trousers"])
    share = neighbour_share(clouds["trousers"], known[others], np.isin(labels[others], GROUPS["tops"]))
    tops = Delaunay(clouds["tops"])
    inside = float((tops.find_simplex(clouds["trousers"]) >= 0).mean())
    within = share > 0.5 and inside > 0.5
    chapter.claim(
        "autoencoder-latent-trousers",
        "5.4, trousers",
        "a cluster inside the tops",
        [round(100 * share, 1), round(100 * inside, 1)],
        judged(settings, within),
        because(
            settings,
            f"Of the 15 nearest training images that are not trousers, {share:.0%} are tops, and {inside:.0%} of the "
            f"trousers lie within the tops' convex hull: {'inside' if within else 'beside rather than inside'}, "
            "half being the threshold for both.",
        ),
        "% tops among the neighbours, % within the hull",
    )


def _bags(chapter: Chapter, clouds: dict[str, Array]) -> None:
    settings = chapter.settings
    places = between(clouds["bags"], clouds["tops"], clouds["shoes"])
    share = float(((places > 0) & (places < 1)).mean())
    chapter.claim(
        "autoencoder-latent-bags",
        "5.4, bags",
        "between shoes and tops",
        round(100 * share, 1),
        judged(settings, share > 0.5),
        because(
            settings,
            f"On the way from the tops' centroid (0) to the shoes' (1) the bags lie at {places.mean():.2f} on average, "
            f"{share:.0%} of them between the two.",
        ),
        "% between the centroids",
    )
    bags, tops, shoes = (dispersion(clouds[name]) for name in ("bags", "tops", "shoes"))
    spread = bags >= min(tops, shoes)
    chapter.claim(
        "autoencoder-latent-bags-spread",
        "5.4, the bags' spread",
        "relatively extended",
        round(bags, 3),
        judged(settings, spread),
        because(
            settings,
            f"One class of bags spreads by {bags:.2f}, the five of tops by {tops:.2f} and the three of shoes by "
            f"{shoes:.2f}: {'as far as a whole group' if spread else 'less than either group'}.",
        ),
        "root mean square distance",
    )
