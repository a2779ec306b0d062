"""``python -m visdiff_local``."""

import sys

from visdiff_local.cli.main import main

sys.exit(main())
