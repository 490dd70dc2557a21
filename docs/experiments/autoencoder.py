"""
An autoencoder: images through two numbers
==========================================

A network squeezes images of 784 pixels through two numbers and paints them again from these two. The full form of this
experiment takes 3000 epochs; this one takes 20, and shows the very beginning: the network has not yet found the mean
image. Where Fashion-MNIST is not on the machine that built this page, the first lines below say what was taken instead.
"""

from experiments import Experiment

experiment = Experiment("autoencoder")
print(experiment.data)

# %%
# The network
# -----------

experiment.show("figure-14")

# %%
# Images and what is painted of them
# ----------------------------------
# Before training the output is noise, and after 20 epochs it is a darker noise. :doc:`/gallery` shows the same ten
# articles after the full run.

experiment.show("figure-16")
experiment.show("figure-17")

# %%
# The loss
# --------
# The dashed and the dotted line are the errors of one grey for all pixels and of the mean image: what a network can
# reach without looking at its input.

experiment.show("figure-18")

# %%
# The plane of the two numbers
# ----------------------------
# Each point is an image. The groups lie on top of one another; with more epochs they draw apart.

experiment.show("figure-21")

# %%
# What the report says of it, and what came out here
# --------------------------------------------------

experiment.claims()

# %%
# To run this page yourself, take a clone of the repository: the file uses others of it. There,
# ``pip install '.[docs]'``, then ``PYTHONPATH=docs/extensions python docs/experiments/autoencoder.py``.
