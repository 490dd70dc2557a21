"""
Two classes that no line separates
==================================

Two clouds of points overlap. A network of 2, 4 and 1 numbers, ``Linear``, ``Tanh``, ``Linear``, ``Sigmoid``, learns
which cloud a point is from. How many epochs does it need, and how well can it be done at all?
"""

from experiments import Experiment

experiment = Experiment("binary")
print(experiment.data)

# %%
# The network
# -----------
# Values run down the chain, gradients run up.

experiment.show("figure-5")

# %%
# After 20 epochs
# ---------------
# The plane as the network cuts it, the loss, and how many points of each class are taken for which. The loss is still
# falling.

experiment.show("figure-6")

# %%
# After 200 epochs
# ----------------
# A few mistakes remain, and some always will: the clouds overlap.

experiment.show("figure-7")

# %%
# What the report says of it, and what came out here
# --------------------------------------------------

experiment.claims()

# %%
# To run this page yourself, take a clone of the repository: the file uses others of it. There,
# ``pip install '.[docs]'``, then ``PYTHONPATH=docs/extensions python docs/experiments/binary.py``.
