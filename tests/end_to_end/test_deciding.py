"""What is decided before and while it is bought. Gathered from the modules `deciding_*`."""

import unittest

from deciding_limits import Canary, Limits, NotAfter

__all__ = "Canary Limits NotAfter".split()

if __name__ == "__main__":
    unittest.main()
