"""What goes wrong with data files."""


class DataError(Exception):
    """Anything about data files that their user can set right."""


class DataFileError(DataError, ValueError):
    """A file is there but is not what it should be: truncated, corrupt, or another file."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data set is in none of the places that were searched."""
