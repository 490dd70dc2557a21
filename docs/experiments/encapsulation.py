"""
By hand, with Optim, with sgd: the same numbers
===============================================

A training loop can be written out (``forward``, ``backward``, a step of the parameters), it can call ``Optim.step``, or
be a single call of ``sgd`` or ``fit``. Do the ways differ, be it in the last bit?
"""

from experiments import Experiment

experiment = Experiment("encapsulation")
print(experiment.data)

# %%
# The loop by hand and ``Optim.step``
# -----------------------------------
# The line of the first experiment, learnt twice: loss, slope and line, by hand above, with ``Optim.step`` below.

experiment.show("figure-8")

# %%
# The loop by hand and ``sgd``
# ----------------------------
# Four rates and three sizes of mini-batch. The broad line is the loop by hand, the thin one on top of it is ``sgd``.

experiment.show("figure-9")

# %%
# What the report says of it, and what came out here
# --------------------------------------------------
# Curves that look alike may differ in their last digits; here every bit is compared.

experiment.claims()

# %%
# To run this page yourself, take a clone of the repository: the file uses others of it. There,
# ``pip install '.[docs]'``, then ``PYTHONPATH=docs/extensions python docs/experiments/encapsulation.py``.
