"""Whatever goes wrong around a batch, gathered from the modules `failures_of_*` into one test."""

import unittest

from failures_of_credentials import Credentials, Secrecy
from failures_of_files import ChangedWhileRunning, FullDisk, Input, Output, Results
from failures_of_runs import Consent, Invalid, Limits, Network, Others

__all__ = (
    "ChangedWhileRunning Consent Credentials FullDisk Input Invalid Limits Network Others Output"
    " Results Secrecy"
).split()

if __name__ == "__main__":
    unittest.main()
