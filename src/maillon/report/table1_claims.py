"""Table 1 on the page: the network, the two tables, and what can be said of each of its numbers."""

from collections.abc import Sequence

from maillon.report import table1
from maillon.report.chapter import Chapter, verdict_of
from maillon.report.table1 import AS_FIGURE_6, POINTED_TO, PRINTED, PRINTED_SCORES, SETTINGS, Snapshot, distance

TWO_DECIMALS = 0.005
PRINTING = 0.01  # the report prints -1.54 for -1.5454: it cut rather than rounded
NEAR = 0.05
DRAWS = 6

Snapshots = dict[str, dict[int, Snapshot]]


def table_1(chapter: Chapter) -> None:
    chapter.heading("Sequential against PyTorch")
    chapter.text(
        "The network of Figure 5 without biases, from the report’s own initial weights: they are "
        "`numpy.random.RandomState(10).randn(…)`, drawn afresh for each layer. The text calls this table “Figure 8”, "
        "and its data those of chapter 3 where it means chapter 2; it prints −1.54 for the weight −1.5454, so weights "
        "are compared to within 0.01."
    )
    ours: dict[str, Snapshots] = {}
    theirs: dict[str, Snapshots] = {}
    for key, setting in SETTINGS.items():
        shorter = table1.EPOCHS[:2] if chapter.settings.quick else table1.EPOCHS
        epochs = shorter if setting is AS_FIGURE_6 else table1.EPOCHS
        with chapter.training(f"Sequential, {setting.name}, {epochs[-1]} epochs, twice"):
            ours[key] = {dtype: table1.with_sequential(setting, dtype, epochs) for dtype in table1.DTYPES}
        with chapter.training(f"PyTorch, {setting.name}, {shorter[-1]} epochs, twice"):
            theirs[key] = {dtype: table1.pytorch_or_golden(key, dtype, shorter) for dtype in table1.DTYPES}
    _show(chapter, "as_figure_6", ours, theirs)
    chapter.text(
        "**What the printed weights say about the report’s data.** With raw points one at a time, the 1600 steps of 10 "
        "epochs move the weights much further than the report prints. The printed ones fit points that are "
        "standardised (one mean and one deviation for both coordinates) and 160 steps in 10 epochs, as mini-batches of "
        "10 make them; the table below is run so. The report’s own points are not known, so its digits are those of "
        "another draw."
    )
    _show(chapter, "pointed_to", ours, theirs)
    _claim_initial(chapter, ours["as_figure_6"]["float64"][0])
    for dtype in table1.DTYPES:
        _claim_same(chapter, dtype, ours, theirs)
    _claim_scores(chapter, ours["pointed_to"]["float64"])
    _claim_weights(chapter, ours["pointed_to"]["float64"])
    _claim_setting(chapter)


def _show(chapter: Chapter, key: str, ours: dict[str, Snapshots], theirs: dict[str, Snapshots]) -> None:
    rows: list[list[str]] = []
    sides = {"`Sequential`": ours[key]["float32"], "PyTorch": theirs[key]["float32"]}
    for name, snapshots in sides.items():
        rows += [[name, str(epoch), *_cells(snapshot)] for epoch, snapshot in snapshots.items()]
    printed = {epoch: Snapshot(PRINTED[epoch], PRINTED_SCORES[epoch]) for epoch in PRINTED}
    rows += [["the report", str(epoch), *_cells(snapshot)] for epoch, snapshot in printed.items()]
    chapter.table(
        f"Score on the 40 test points and weights of both layers, float32, {SETTINGS[key].name}; "
        f"{table1.where_from()}; below them what the report prints.",
        ["network", "epochs", "score", "layer 1, from input 1", "from input 2", "layer 2"],
        rows,
        item="Table 1" if key == "as_figure_6" else "Table 1, again",
    )


def _cells(snapshot: Snapshot) -> list[str]:
    weights = snapshot.weights
    parts = (weights[:4], weights[4:8], weights[8:])
    return [f"{snapshot.score:.1f} %", *(_numbers(part) for part in parts)]


def _numbers(values: Sequence[float]) -> str:
    return "  ".join(f"{value:.2f}".replace("-", "−") for value in values)


def _claim_initial(chapter: Chapter, start: Snapshot) -> None:
    far = distance(start.weights, PRINTED[0])
    chapter.claim(
        "table-1-initial-weights",
        "Table 1",
        "the printed initial weights",
        far,
        verdict_of(far <= PRINTING),
        f"The largest difference between `RandomState(10).randn` and the twelve printed numbers is {far:.4f}; "
        f"{'within' if far <= PRINTING else 'beyond'} the {PRINTING} of their printing.",
    )


def _claim_same(chapter: Chapter, dtype: str, ours: dict[str, Snapshots], theirs: dict[str, Snapshots]) -> None:
    pairs = [(ours[key][dtype][epoch], theirs[key][dtype][epoch]) for key in SETTINGS for epoch in theirs[key][dtype]]
    far = max(distance(a.weights, b.weights) for a, b in pairs)
    scores = all(a.score == b.score for a, b in pairs)
    last = max(theirs["as_figure_6"][dtype])
    chapter.claim(
        f"table-1-sequential-is-pytorch-{dtype}",
        "Table 1",
        "identical to two decimals, and the same scores",
        far,
        verdict_of(far < TWO_DECIMALS and scores),
        f"Largest difference of any weight in {dtype}, in both tables, after 0 to {last} epochs; the scores are "
        f"{'the same' if scores else 'not the same'}. {table1.where_from()}.",
    )


def _claim_scores(chapter: Chapter, snapshots: dict[int, Snapshot]) -> None:
    forty = all(score % 2.5 == 0 for score in PRINTED_SCORES.values())
    chapter.claim(
        "table-1-scores",
        "Table 1",
        list(PRINTED_SCORES.values()),
        [snapshots[epoch].score for epoch in PRINTED_SCORES],
        "not comparable",
        f"Scores after 0, 10 and 200 epochs on another draw of 40 test points ({POINTED_TO.name}): one point is 2.5 %, "
        f"and the report’s own points are not known. Its scores are {'all' if forty else 'not all'} multiples of 1/40.",
        unit="%",
    )


def _claim_weights(chapter: Chapter, snapshots: dict[int, Snapshot]) -> None:
    for epoch in (10, 200):
        far = distance(snapshots[epoch].weights, PRINTED[epoch])
        chapter.claim(
            f"table-1-weights-{epoch}-epochs",
            "Table 1",
            list(PRINTED[epoch]),
            [round(weight, 2) for weight in snapshots[epoch].weights],
            "not comparable",
            f"The report’s points are not known; on another draw ({POINTED_TO.name}) the weights after {epoch} epochs "
            f"come within {far:.2f} of the printed ones.",
        )


def _claim_setting(chapter: Chapter) -> None:
    """Whether the printed weights can come from the text's setting: tried on several draws of the points."""
    with chapter.training(f"10 epochs on {DRAWS} draws of the points, both settings"):
        far = {
            setting.name: [
                distance(table1.with_sequential(setting, "float64", (10,), seed)[10].weights, PRINTED[10])
                for seed in range(DRAWS)
            ]
            for setting in (AS_FIGURE_6, POINTED_TO)
        }
    raw, standardised = far[AS_FIGURE_6.name], far[POINTED_TO.name]
    possible = min(raw) <= NEAR
    chapter.claim(
        "table-1-setting",
        "Table 1",
        "the data and the batch size of chapter 2",
        [min(raw), min(standardised)],
        "holds" if possible else "differs",
        f"How near {DRAWS} draws come to the printed weights after 10 epochs, raw points one at a time and "
        f"standardised points in tens, at best: {'some' if possible else 'no'} draw of the first comes within {NEAR}, "
        f"{sum(value <= NEAR for value in standardised)} of the second.",
    )
