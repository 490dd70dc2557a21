"""The checkers, checked: every mistake is caught, and the rule it breaks is named."""

import re

import numpy as np
import pytest
from mutants import MUTANTS, Mutant

import maillon
from maillon.check import RULES, CheckError, check_gradients, check_loss, check_module
from maillon.nesting import leaves
from maillon.nn import Loss, Module

RIGHT = ("maillon.nn.activations.", "maillon.nn.losses.", "maillon.nn.linear.flatten", "maillon.nn.norms.dropout")


@pytest.mark.sweep
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught_and_its_rule_named(mutant: Mutant) -> None:
    check = check_loss if issubclass(type(mutant.make()), Loss) else check_module
    with pytest.raises(CheckError) as caught:
        check(mutant.make(), *mutant.inputs)
    assert caught.value.rule == mutant.rule
    assert str(caught.value).startswith(f"rule {mutant.rule}, {RULES[mutant.rule]}: broken by ")
    assert type(mutant.make()).__name__ in str(caught.value)
    assert re.search(r"\nReplay: maillon\.check\.check_(module|loss)\(link, \*inputs, seed=0\)$", str(caught.value))


@pytest.mark.sweep
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.rule == 1], ids=lambda mutant: mutant.name)
def test_other_directions_see_it_too(mutant: Mutant, seed: int) -> None:
    with pytest.raises(CheckError, match=r"^rule 1, "):
        check_gradients(mutant.make(), *mutant.inputs, seed=seed, directions=1)


def public(base: type) -> bool:
    return base.__module__.startswith(RIGHT) and base.__name__ in maillon.nn.__all__


BASES = {base for mutant in MUTANTS for base in type(mutant.make()).__mro__ if public(base)}


@pytest.mark.parametrize("base", sorted(BASES, key=lambda base: base.__name__), ids=lambda base: base.__name__)
def test_what_the_mutants_are_made_from_is_right(base: type[Module]) -> None:
    inputs = next(mutant.inputs for mutant in MUTANTS if isinstance(mutant.make(), base))
    check_module(base(), *inputs)


def test_there_are_mutants_of_every_rule() -> None:
    assert {mutant.rule for mutant in MUTANTS} == set(RULES)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 36


def test_the_inputs_of_the_table_are_left_alone() -> None:
    assert all(np.isfinite(array).all() for mutant in MUTANTS for array in leaves(mutant.inputs))
