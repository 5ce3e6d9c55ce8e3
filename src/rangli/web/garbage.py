"""Looking for garbage without stopping everyone: what a full collection has left is not looked at again for an hour.

Compiled kernels and registers are half a million objects that stay as long as the process does. CPython looks through all of them
whenever enough new ones have come, about once a second under load, and every request waits a tenth of a second meanwhile.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import monotonic
from typing import Final

THOROUGH_SECONDS: Final = 3600
"""How often all of them are looked at all the same: what was set aside may have become garbage."""
_FULL: Final = 2
"""The oldest generation."""


class Aside:
    """Sets what each full collection leaves aside, until it is told to stop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._thorough_at = clock() + THOROUGH_SECONDS

    def start(self) -> None:
        """Collect now, and set aside what is left from here on."""
        gc.collect()
        gc.freeze()
        gc.callbacks.append(self._called)

    def stop(self) -> None:
        """Leave everything to the collector again."""
        gc.callbacks.remove(self._called)
        gc.unfreeze()

    def _called(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] != _FULL:
            return
        if phase == "stop":
            gc.freeze()
        elif self._clock() >= self._thorough_at:
            self._thorough_at = self._clock() + THOROUGH_SECONDS
            gc.unfreeze()
