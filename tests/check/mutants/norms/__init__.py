"""Normalisation and dropout."""
