"""``python -m visdiff_local``."""

import os
import sys
from pathlib import Path

# Python puts the working folder first: a file called torch.py there would be imported for torch.
_HERE = Path(__file__).resolve().parent.parent
if sys.path and sys.path[0] in ("", os.getcwd()) and Path(sys.path[0]).resolve() != _HERE:  # noqa: PTH109
    del sys.path[0]

from visdiff_local.cli.main import main  # noqa: E402 - after the above, which it is for

sys.exit(main())
