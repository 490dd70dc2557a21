"""check_module and check_loss tell the cause of a wrong gradient, in words that are held here."""

import numpy as np
import pytest
from answers.links import RIGHT_LINKS, WRONG_LINKS, WrongLink
from mutants import MUTANTS

import maillon
from maillon.check import CheckError, check_gradients, check_loss, check_module
from maillon.nn import Loss, Module

WORDS = {
    "Linear: missing transpose in a square weight's input gradient": "weight must be transposed here",
    "Linear: weight gradient transposed": "It is transposed.",
    "Linear: gradient averaged over the batch": "the number of examples in the batch, 4: a mean in place of a sum.",
    "Linear: bias gradient summed over the wrong axis": "It is grad_output summed over axis 1, the wrong one.",
    "Linear: last sample left out of the gradient": "The share of the last place of axis 0 of the output is missing.",
    "Linear: one element off by a part in a hundred thousand": "It is right but at [0, 0].",
    "Linear: bias gradient not summed over the batch": "It is not summed over axis 0, the examples of the batch.",
    "Linear: gradient added twice to what was there": "what was there twice plus the new gradient",
    "gradients of two inputs swapped": "It is the gradient of input b: are the two exchanged?",
    "the second output's gradient forgotten": "The gradient of output 1 is not used.",
    "Tanh: derivative of the input instead of the output": "grad_output · (1 − x²); grad_output · (1 − y²) is right.",
    "ReLU: gradient let through below 0": "It is grad_output itself: the derivative is missing.",
    "Softmax: the diagonal of its Jacobian only": "The cross terms are missing",
    "Softmax: summed over the wrong axis": "The sum runs over axis 0",
    "LogSoftmax: the logarithm forgotten in the derivative": "The output is put in where its exponential belongs",
    "SiLU: derivative at the output instead of the input": "The derivative is taken at the output of forward",
    "GELU: the exact form's derivative for the tanh form": "It is nearly right, to 6e-04",
    "Residual: the way around forgotten": "grad_output is missing",
    "Bilinear: every W_k transposed in its gradient": "Its axes 1, 2 are exchanged.",
    "CrossEntropyLoss: gradient p instead of p − y": "It is the softmax of yhat: y is not subtracted.",
    "MSELoss: mean missing in the gradient": "forward is divided by 12, the number of all elements",
    "BCELoss: (1 − y) term missing": "the term with (1 − y) / (1 − yhat) is missing.",
    "BCELoss: 1 / (p (1 − p)) missing": "the division by yhat (1 − yhat) is missing.",
    "KLDivLoss: batchmean divides the value alone": "forward is divided by 4, the number of examples",
    "RNN: gradient of the last step only": "It is the gradient of the last place of axis 0 of the output only.",
    "RNN: each step by itself, nothing sent to the one before": "Nothing flows from one place of axis 0 to another",
    "RNN: the state's gradient dropped": "The gradient of output 1 is not used.",
    "Conv2d: the kernel flipped on the way back": "weight is flipped along axes 2, 3 where forward does not flip it",
    "Conv2d: weight gradient of the last sample only": "the last place of axis 0 of the output only.",
    "MaxPool1d: overlapping windows overwrite each other's gradient": "write += in place of =.",
    "LayerNorm: weight gradient without x̂": "It is the gradient of parameter bias",
}
"""Of mutants.MUTANTS, what is said of some: at least one of every hypothesis."""
NAMED = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("name", WORDS)
def test_a_mutants_cause_is_told(name: str) -> None:
    mutant = NAMED[name]
    check = check_loss if isinstance(mutant.make(), Loss) else check_module
    with pytest.raises(CheckError) as caught:
        check(mutant.make(), *mutant.inputs)
    assert WORDS[name] in str(caught.value)


@pytest.mark.parametrize("wrong", WRONG_LINKS, ids=lambda wrong: wrong.name)
def test_a_students_link_is_rejected_in_the_words_that_are_owed(wrong: WrongLink) -> None:
    with pytest.raises(CheckError) as caught:
        check_module(wrong.make(), *wrong.inputs)
    assert wrong.words in str(caught.value)
    assert caught.value.rule == wrong.rule


@pytest.mark.parametrize(("made", "inputs"), RIGHT_LINKS)
def test_what_they_are_made_from_is_right(made: type[Module], inputs: tuple[np.ndarray, ...]) -> None:
    assert check_module(made(), *inputs).worst <= 1e-9


def test_the_message_is_in_french_when_asked_for() -> None:
    mutant = NAMED["Linear: weight gradient transposed"]
    with pytest.raises(CheckError) as caught:
        check_module(mutant.make(), *mutant.inputs, language="fr")
    lines = str(caught.value).split("\n")
    assert lines[0] == ("règle 1, backward est la dérivée exacte de forward : WeightTransposed() ne la respecte pas.")
    assert lines[1].startswith("gradient du paramètre weight : attendu ")
    assert lines[1].endswith("Il est transposé.")


@pytest.mark.parametrize("check", [check_module, check_gradients, check_loss])
def test_a_language_that_is_not_there(check: object) -> None:
    link = maillon.MSELoss() if check is check_loss else maillon.Tanh()
    message = rf"^{check.__name__}: expected language 'en' or 'fr', got 'de'\. Take one of those\.$"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=message):
        check(link, np.ones(2), np.ones(2), language="de")  # type: ignore[operator]
