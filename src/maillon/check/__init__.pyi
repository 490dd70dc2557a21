"""The public names, each once, with its file."""

from maillon.check.contract import check_loss as check_loss, check_module as check_module
from maillon.check.gradients import check_gradients as check_gradients
from maillon.check.verdict import RULES as RULES, CheckError as CheckError, CheckReport as CheckReport
