"""The autoencoder's latent plane: where the groups of classes lie, and an interactive figure of it."""

import numpy as np

from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import GROUPS, Stage
from maillon.report.chapter import Chapter
from maillon.report.images import SIDE, ImageSplit
from maillon.report.latent_page import latent_fragment
from maillon.report.measures import between, dispersion, neighbour_share, separation, share_within
from maillon.report.verdicts import because, judged
from maillon.typing import Array

APART = 0.9  # share of shoes and tops on their own side
MARKED = 1.1  # how many times as far one group spreads as another that is clearly less dispersed
AMONG = 0.75  # share of tops among the neighbours; by chance it is that of tops among all that are not trousers
BULK = 0.9  # share of the tops that are where tops lie; the others are outliers


def latent(chapter: Chapter, split: ImageSplit, stage: Stage, known: Array) -> None:
    """Table 4, Figure 21, the interactive figure, and what the report says of it; `known` are training codes."""
    chapter.heading("The latent space")
    if split.shortfall:
        chapter.text("With the stand-in, the names of the groups mean no more than the numbers of their classes.")
    chapter.table(
        "The groups by which the plane is coloured.",
        ["group", "classes"],
        [[name, ", ".join(split.class_names[label] for label in labels)] for name, labels in GROUPS.items()],
        "Table 4",
    )
    clouds = {name: stage.codes[np.isin(split.y_test, labels)] for name, labels in GROUPS.items()}
    chapter.figure(
        "figure-21",
        figures.latent(stage.codes, split.y_test, GROUPS),
        f"The codes of the {len(split.y_test):,} test images after {stage.epochs} epochs: the two outputs of the "
        "encoder's last `Linear`, before the `Tanh` that leads on to the decoder.",
        "Figure 21",
        alt=f"A scatter of {len(split.y_test):,} points in the plane, a colour and a shape for each group. "
        + "; ".join(_where(name, cloud) for name, cloud in clouds.items())
        + ".",
    )
    images = split.x_test.reshape(-1, SIDE, SIDE)
    chapter.html(latent_fragment(stage.codes, split.y_test, images, split.class_names, GROUPS))
    chapter.table(
        "How far the groups spread: root mean square distance from their centroids.",
        ["group", "test images", "dispersion"],
        [[name, len(cloud), f"{dispersion(cloud):.3f}"] for name, cloud in clouds.items()],
    )
    _shoes_and_tops(chapter, clouds)
    _trousers(chapter, clouds, known, split.y_train)
    _bags(chapter, clouds)


def _where(name: str, cloud: Array) -> str:
    across, up = cloud.mean(axis=0)
    return f"{len(cloud)} {name} about ({across:.2f}, {up:.2f}), spread {dispersion(cloud):.2f}"


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
    more = shoes >= MARKED * tops
    chapter.claim(
        "autoencoder-latent-dispersed",
        "5.4, dispersion",
        "shoes more dispersed than tops",
        [round(shoes, 3), round(tops, 3)],
        judged(settings, more),
        because(
            settings,
            f"The shoes spread by {shoes:.2f} about their centroid, the tops by {tops:.2f}: {shoes / tops:.2f} times "
            f"as far; {MARKED:g} times counts as markedly more. Five classes make the tops, three the shoes.",
        ),
        "shoes and tops, root mean square distance",
    )


def _trousers(chapter: Chapter, clouds: dict[str, Array], known: Array, labels: Array) -> None:
    settings = chapter.settings
    others = ~np.isin(labels, GROUPS["trousers"])
    are_tops = np.isin(labels[others], GROUPS["tops"])
    share = neighbour_share(clouds["trousers"], known[others], are_tops)
    inside = share_within(clouds["trousers"], clouds["tops"], BULK)
    within = share >= AMONG and inside > 0.5
    chapter.claim(
        "autoencoder-latent-trousers",
        "5.4, trousers",
        "a cluster inside the tops",
        [round(100 * share, 1), round(100 * inside, 1)],
        judged(settings, within),
        because(
            settings,
            f"Of the 15 nearest training images that are not trousers, {share:.0%} are tops ({are_tops.mean():.0%} by "
            f"chance; {AMONG:.0%} was asked for), and {inside:.0%} of the trousers lie in the ellipse that holds "
            f"{BULK:.0%} of the tops (half was asked for): {'inside' if within else 'beside rather than inside'}.",
        ),
        "% tops among the neighbours, % within the ellipse",
    )


def _bags(chapter: Chapter, clouds: dict[str, Array]) -> None:
    settings = chapter.settings
    share = float(between(clouds["bags"], clouds["tops"], clouds["shoes"]).mean())
    chapter.claim(
        "autoencoder-latent-bags",
        "5.4, bags",
        "between shoes and tops",
        round(100 * share, 1),
        judged(settings, share > 0.5),
        because(
            settings,
            f"{share:.0%} of the bags lie in the circle that has the centroids of the tops and of the shoes at its two "
            "ends; more than half was asked for.",
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
