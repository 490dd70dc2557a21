"""Links over signals and images."""
