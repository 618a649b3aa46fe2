"""What is decided before and while it is bought. Gathered from the modules `deciding_*`."""

import unittest

from deciding_advice import Advice
from deciding_limits import Canary, Limits, NotAfter
from deciding_plan import Plan
from deciding_references import History, References

__all__ = "Advice Canary History Limits NotAfter Plan References".split()

if __name__ == "__main__":
    unittest.main()
