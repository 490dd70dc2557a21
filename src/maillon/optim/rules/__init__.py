"""The rules: how a gradient moves a parameter, one file a family."""
