"""What a network costs: parameters, floating-point operations and memory, link by link. `summary` shows them.

Each family says what its links compute in a file of its own: a row for each type, `table.py` gathers them.
"""
