"""The commands as a person or a script meets them: what they print, write, refuse and return.
Gathered from the modules `command_*` into one test.
"""

import unittest

from command_check import Check, DryRun, Usage
from command_config import Config
from command_doctor import Doctor
from command_metrics import MetricsFile, MetricsServed
from command_own_files import OwnFiles
from command_resolve import Misnamed, Resolve, Status
from command_rows import RowsOf
from command_run import Finished, Input, Listening, Reports, Results
from command_run_before import FirstWord, Interrupted, Refused

__all__ = (
    "Check Config Doctor DryRun Finished FirstWord Input Interrupted Listening MetricsFile "
    "MetricsServed Misnamed OwnFiles Refused Reports Resolve Results RowsOf Status Usage"
).split()

if __name__ == "__main__":
    unittest.main()
