"""The older name of `shared.process.stopping`."""

from shared.process.stopping import end

__all__ = ["end"]
