"""The public names, for tests that evaluate what an object shows of itself."""

import maillon

NAMES = {name: getattr(maillon, name) for name in maillon.__all__}
