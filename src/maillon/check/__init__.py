"""The proof kit: one call proves a link of your own, or names the rule that it breaks."""

from maillon.check.contract import check_loss, check_module
from maillon.check.gradients import check_gradients
from maillon.check.verdict import RULES, CheckError, CheckReport

__all__ = ["RULES", "CheckError", "CheckReport", "check_gradients", "check_loss", "check_module"]
