"""`python -m maillon` is `maillon`."""

import sys

from maillon.cli import main

sys.exit(main())
