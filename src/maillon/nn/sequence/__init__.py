"""Links of sequences: recurrent layers, attention, transformers, positions."""
