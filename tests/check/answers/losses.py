"""Losses with one mistake each, and right ones in other styles."""

import numpy as np

import maillon
from answers.base import BCELoss, CrossEntropy, MSELoss, ScoresLoss, Softmax
from answers.table import right, wrong


@wrong("MSE: factor 2 forgotten", 7, "A factor 2 is missing.")
class NoTwo(MSELoss):
    def backward(self, y, yhat):
        return (yhat - y) / y.size


@wrong("MSE: sign", 7, "The sign is wrong.")
class Sign(MSELoss):
    def backward(self, y, yhat):
        return 2 * (y - yhat) / y.size


@wrong("MSE: forward a mean, backward of the sum", 7, "forward is divided by 15, the number of all elements")
class MeanForgotten(MSELoss):
    def backward(self, y, yhat):
        return 2 * (yhat - y)


@wrong("MSE: forward a sum, backward divided by N", 7, "backward is divided by 5, the number of examples")
class MeanTooMuch(MSELoss):
    def forward(self, y, yhat):
        return np.sum((yhat - y) ** 2)

    def backward(self, y, yhat):
        return 2 * (yhat - y) / len(y)


@wrong("MSE: mean over the examples only", 7, "forward is divided by 3, the number of outputs")
class MeanOverExamples(MSELoss):
    def backward(self, y, yhat):
        return 2 * (yhat - y) / len(y)


@wrong("MSE: y and yhat exchanged", 7, "The sign is wrong.")
class Exchanged(MSELoss):
    def backward(self, yhat, y):
        return 2 * (yhat - y) / y.size


@wrong("MSE: the value for the derivative", 7, "the value, not its derivative")
class ValueReturned(MSELoss):
    def backward(self, y, yhat):
        return (yhat - y) ** 2


@wrong("MSE: |yhat − y|", 7, "the sign is lost")
class Absolute(MSELoss):
    def backward(self, y, yhat):
        return 2 * np.abs(yhat - y) / y.size


@wrong("MSE: summed over the outputs", 7, "It is summed over axis 1")
class SummedOutputs(MSELoss):
    def backward(self, y, yhat):
        return (2 * (yhat - y) / y.size).sum(axis=1)


@wrong("MSE: the sum squared", 7, "that is not what forward computes")
class SumSquared(MSELoss):
    def forward(self, y, yhat):
        return np.sum(yhat - y, axis=1) ** 2

    def backward(self, y, yhat):
        return 2 * (yhat - y)


@wrong("MSE: half of it", 1, "It is 0.5 times what it should be.", like=maillon.MSELoss())
class Half(MSELoss):
    def forward(self, y, yhat):
        return np.mean((yhat - y) ** 2) / 2

    def backward(self, y, yhat):
        return (yhat - y) / y.size


@wrong(
    "MSE: a sum where a mean is asked for",
    1,
    "It is not divided by 15, the number of all elements",
    like=maillon.MSELoss(),
)
class SumOnly(MSELoss):
    def forward(self, y, yhat):
        return np.sum((yhat - y) ** 2)

    def backward(self, y, yhat):
        return 2 * (yhat - y)


@wrong("MSE: the root", 1, "It is the square root of what it should be.", like=maillon.MSELoss())
class Root(MSELoss):
    def forward(self, y, yhat):
        return np.sqrt(np.mean((yhat - y) ** 2))


@wrong("MSE: yhat changed in place", 2, "yhat after forward")
class InPlace(MSELoss):
    def forward(self, y, yhat):
        yhat -= y
        return np.mean(yhat**2)


@wrong("CE: the division by yhat forgotten", 7, "the division by yhat is missing")
class NoDivision(CrossEntropy):
    def backward(self, y, yhat):
        return -y


@wrong("CE: yhat − y on probabilities", 7, "softmax and cross-entropy in one")
class Shortcut(CrossEntropy):
    def backward(self, y, yhat):
        return yhat - y


@wrong("CE: softmax(yhat) − y on probabilities", 7, "the derivative of cross-entropy with scores")
class OfScores(CrossEntropy):
    def backward(self, y, yhat):
        return Softmax().forward(yhat) - y


@wrong("CE: sign", 7, "The sign is wrong.")
class CESign(CrossEntropy):
    def backward(self, y, yhat):
        return y / yhat


@wrong("CE of scores: y forgotten", 7, "y is not subtracted")
class NoTarget(ScoresLoss):
    def backward(self, y, yhat):
        return Softmax().forward(yhat)


@wrong("CE of scores: yhat added", 7, "yhat is added to what is right.")
class Added(ScoresLoss):
    def backward(self, y, yhat):
        return yhat + super().backward(y, yhat)


@wrong("CE of scores: an eps in forward only", 7, "It is nearly right")
class Eps(ScoresLoss):
    def forward(self, y, yhat):
        return np.log(np.exp(yhat).sum(axis=1) + 1e-3) - np.sum(y * yhat, axis=1)


@wrong("BCE: the second term forgotten", 7, "the term with (1 − y) / (1 − yhat) is missing")
class OneTerm(BCELoss):
    def backward(self, y, yhat):
        return -y / yhat / y.size


@wrong("BCE: sign of the second term", 7, "the second term has the wrong sign")
class SecondSign(BCELoss):
    def backward(self, y, yhat):
        return (-y / yhat - (1 - y) / (1 - yhat)) / y.size


@wrong("BCE: yhat − y", 7, "the division by yhat (1 − yhat) is missing")
class Undivided(BCELoss):
    def backward(self, y, yhat):
        return (yhat - y) / y.size


@wrong("BCE: mean over the examples only", 7, "forward is divided by 3, the number of outputs")
class BCEMean(BCELoss):
    def backward(self, y, yhat):
        return (yhat - y) / (yhat * (1 - yhat)) / len(y)


@wrong("BCE: forward not written", 1, "forward is not written yet.")
class BCENotWritten(BCELoss):
    def forward(self, y, yhat):
        raise NotImplementedError


@right("MSE, mean over all", like=maillon.MSELoss())
class Mean(MSELoss):
    pass


@right("MSE, a value for each example, backward of their sum", like=maillon.MSELoss())
class PerExample(MSELoss):
    def forward(self, y, yhat):
        return np.linalg.norm(y - yhat, axis=1) ** 2

    def backward(self, y, yhat):
        return -2 * (y - yhat)


@right("MSE, a column of values, backward of their mean")
class Column(MSELoss):
    def forward(self, y, yhat):
        return np.sum((y - yhat) ** 2, axis=1, keepdims=True)

    def backward(self, y, yhat):
        return 2 * (yhat - y) / len(y)


@right("CE with labels as numbers")
class Labels(CrossEntropy):
    def forward(self, y, yhat):
        return -np.log(yhat[np.arange(len(y)), y])

    def backward(self, y, yhat):
        made = np.zeros_like(yhat)
        made[np.arange(len(y)), y] = -1 / yhat[np.arange(len(y)), y]
        return made


@right("CE of scores by loops, mean", like=maillon.CrossEntropyLoss())
class MeanOfScores(ScoresLoss):
    def forward(self, y, yhat):
        return float(np.mean([np.log(np.exp(row).sum()) - row @ one for row, one in zip(yhat, y, strict=True)]))

    def backward(self, y, yhat):
        return super().backward(y, yhat) / len(y)


@right("BCE with a guard of 1e-12", like=maillon.BCELoss())
class Guarded(BCELoss):
    def forward(self, y, yhat):
        return -np.mean(y * np.log(yhat + 1e-12) + (1 - y) * np.log(1 - yhat + 1e-12))

    def backward(self, y, yhat):
        return -(y / (yhat + 1e-12) - (1 - y) / (1 - yhat + 1e-12)) / y.size


@right("BCE element by element")
class Elements(BCELoss):
    def forward(self, y, yhat):
        return -(y * np.maximum(-100, np.log(yhat)) + (1 - y) * np.maximum(-100, np.log(1 - yhat)))

    def backward(self, y, yhat):
        return -(y / yhat) + (1 - y) / (1 - yhat)


@wrong("CE of scores: a row plus a column", 1, "(N,) and (N, 1) give (N, N)")
class RowAndColumn(ScoresLoss):
    def forward(self, y, yhat):
        return -np.sum(y * yhat, axis=1) + np.log(np.exp(yhat).sum(axis=1, keepdims=True))


@wrong("CE of scores: the largest of the batch's column", 1, "The examples are mixed")
class Mixed(ScoresLoss):
    def forward(self, y, yhat):
        return np.log(np.exp(yhat).sum(axis=0).sum()) - np.sum(y * yhat, axis=1)
