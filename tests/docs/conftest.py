"""The site's own code is found in docs/extensions, what these tests share beside them."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "docs" / "extensions"), str(HERE)]
