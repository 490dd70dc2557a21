"""Weighted sums, tables of vectors, distances and shapes."""
