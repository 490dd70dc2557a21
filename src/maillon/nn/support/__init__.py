"""What the links share: errors, checks of arguments, dtypes, nested values, modes."""
