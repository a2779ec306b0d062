"""``python -m visdiff_local``."""

import sys

from visdiff_local.cli import main

sys.exit(main())
