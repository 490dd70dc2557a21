"""The sentences of the checks in French, by their English templates; a test holds that none is missing."""

from maillon.check.french.causes import CAUSES
from maillon.check.french.messages import MESSAGES

FRENCH = {**MESSAGES, **CAUSES}
