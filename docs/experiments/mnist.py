"""
Ten classes: handwritten digits
===============================

The report's classifier, 784 – 100 – 10, reads handwritten digits. The experiment looks at what it says before it has
learnt anything and after, how sure it is, and what it confuses. Where MNIST is not on the machine that built this page,
the first lines below say what was taken instead.
"""

from experiments import Experiment

experiment = Experiment("mnist")
print(experiment.data)

# %%
# The images and the network
# --------------------------

experiment.show("figure-10")
experiment.show("figure-11")

# %%
# Probabilities before and after
# ------------------------------
# A digit, and the probability that the network gives to each class. Before training all are near 0.1.

experiment.show("figure-12")

# %%
# How sure, and how often right
# -----------------------------
# The entropy of the ten probabilities is ln 10 ≈ 2.3 where the network has no idea, and 0 where it is certain. Twenty
# epochs at the report's small rate are the beginning of the way: the full run has 500.

experiment.show("entropy")
experiment.show("confusion")

# %%
# The loss, and what the report leaves open about it
# --------------------------------------------------
# The report does not say whether its loss is summed over the mini-batch or averaged, nor which law the first weights
# have. Each reading is a curve.

experiment.show("figure-13")

# %%
# What the report says of it, and what came out here
# --------------------------------------------------

experiment.claims()

# %%
# To run this page yourself, take a clone of the repository: the file uses others of it. There,
# ``pip install '.[docs]'``, then ``PYTHONPATH=docs/extensions python docs/experiments/mnist.py``.
