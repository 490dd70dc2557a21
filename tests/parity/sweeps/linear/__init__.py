"""Linear, Flatten, Embedding and what compares two vectors."""
