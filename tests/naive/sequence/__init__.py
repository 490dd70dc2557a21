"""Links over sequences."""
