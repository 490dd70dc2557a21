"""What a wrong gradient most likely comes from: hypotheses, each tested by arithmetic, and none claimed without.

`diagnose` in `diagnose.py` asks them in turn; `case.py` is what they know, the other files are the hypotheses by kind.
"""
