"""
One link: the learning rate and the size of the mini-batch
==========================================================

The smallest network there is, ``Linear(1, 1)``, learns a line from 100 noisy points. Its two settings are the learning
rate and the number of points in a mini-batch. How fast does the slope arrive, and how calm is its course?
"""

from experiments import Experiment

experiment = Experiment("linear")
print(experiment.data)

# %%
# Four learning rates
# -------------------
# One point a step, 40 epochs. Each row is a rate: the loss, the slope, and the line that was learnt. The two large
# rates arrive, after 3 and after 30 epochs. The two small ones are still on their way when the training ends.

experiment.show("figure-2")

# %%
# Three sizes of mini-batch
# -------------------------
# The rate is the same in all rows. A batch of 1 takes a hundred small steps an epoch, and its slope is jagged. A batch
# of 100 takes a single step an epoch, and is slow and smooth.

experiment.show("figure-3")

# %%
# Data as they are
# ----------------
# The same with x up to 50, not brought to mean 0 and standard deviation 1. Each step multiplies the error by
# 1 − ηx², so that the rate 0.01, which was the best above, diverges here.

experiment.show("figure-4")
experiment.show("figure-4-growth")

# %%
# What the report says of it, and what came out here
# --------------------------------------------------

experiment.claims()

# %%
# To run this page yourself, take a clone of the repository: the file uses others of it. There,
# ``pip install '.[docs]'``, then ``PYTHONPATH=docs/extensions python docs/experiments/linear.py``.
