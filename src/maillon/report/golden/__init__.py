"""Values that PyTorch gave, for machines without it, and the script that made them."""
