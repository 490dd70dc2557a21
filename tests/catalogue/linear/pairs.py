"""Links of two inputs: Bilinear, CosineSimilarity, PairwiseDistance."""

import math

from naive.linear import pairs as naive

import maillon as M
from catalogue.rows import Row, normal

BILINEAR_WRONG = (
    (normal(4, 3), normal(4, 3)),
    (normal(4, 2), normal(4, 2)),
    (normal(4, 2), normal(5, 3)),
    (normal(), normal(3)),
)

# fmt: off
LINKS = [
    Row("Bilinear", lambda: M.Bilinear(2, 3, 4), (normal(5, 2), normal(5, 3)), naive.bilinear,
        lambda t: t.nn.Bilinear(2, 3, 4), wrong=BILINEAR_WRONG),
    Row("Bilinear bias=False", lambda: M.Bilinear(2, 3, 1, bias=False), (normal(2, 4, 2), normal(2, 4, 3)),
        naive.bilinear, lambda t: t.nn.Bilinear(2, 3, 1, bias=False), wrong=BILINEAR_WRONG),
    Row("Bilinear of one sample", lambda: M.Bilinear(3, 2, 2), (normal(3), normal(2)), naive.bilinear,
        lambda t: t.nn.Bilinear(3, 2, 2), batched=False),
    Row("CosineSimilarity", M.CosineSimilarity, (normal(4, 3), normal(4, 3)), naive.cosine,
        lambda t: t.nn.CosineSimilarity(),
        wrong=((normal(4), normal(4)), (normal(4, 3), normal(3, 3)))),
    Row("CosineSimilarity dim=-2 broadcast", lambda: M.CosineSimilarity(-2), (normal(2, 3, 4), normal(3, 1)),
        naive.cosine, lambda t: t.nn.CosineSimilarity(-2), batched=False),
    Row("CosineSimilarity of two vectors", lambda: M.CosineSimilarity(0, 1e-3), (normal(5), normal(5)), naive.cosine,
        lambda t: t.nn.CosineSimilarity(0, 1e-3), batched=False),
    Row("PairwiseDistance", M.PairwiseDistance, (normal(4, 3), normal(4, 3)), naive.distance,
        lambda t: t.nn.PairwiseDistance(), wrong=((normal(), normal()), (normal(4, 3), normal(4, 2)))),
    Row("PairwiseDistance p=1 keepdim", lambda: M.PairwiseDistance(1, keepdim=True), (normal(4, 3), normal(4, 3)),
        naive.distance, lambda t: t.nn.PairwiseDistance(1, keepdim=True)),
    Row("PairwiseDistance p=3 broadcast", lambda: M.PairwiseDistance(3.0, 0.1), (normal(4, 1, 3), normal(2, 3)),
        naive.distance, lambda t: t.nn.PairwiseDistance(3.0, 0.1), batched=False),
    Row("PairwiseDistance p=inf", lambda: M.PairwiseDistance(math.inf), (normal(4, 3), normal(4, 3)), naive.distance,
        lambda t: t.nn.PairwiseDistance(math.inf)),
    Row("PairwiseDistance p=1.5", lambda: M.PairwiseDistance(1.5), (normal(5), normal(5)), naive.distance,
        lambda t: t.nn.PairwiseDistance(1.5), batched=False),
]
# fmt: on
