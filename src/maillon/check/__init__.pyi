"""The public names, each once, with its file."""

from maillon.check.contract import check_loss as check_loss, check_module as check_module
from maillon.check.gradients import check_gradients as check_gradients
from maillon.check.handout.checker import check_handout as check_handout
from maillon.check.handout.verdict import (
    HANDOUT_RULES as HANDOUT_RULES,
    HandoutError as HandoutError,
    HandoutReport as HandoutReport,
)
from maillon.check.verdict import RULES as RULES, CheckError as CheckError, CheckReport as CheckReport
