"""``python -m rangli`` is the command ``rangli``."""

from __future__ import annotations

import sys

from rangli.cli import main

sys.exit(main())
