"""Losses, each with the derivative of its own value."""
