"""Every value once more, by plain loops over Python numbers: slow, obvious, and independent of the links."""
