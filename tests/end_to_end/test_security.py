"""Who means harm gets nothing, gathered from the modules `security_*` into one test."""

import unittest

from security_of_answers import Display, Smuggling
from security_of_binaries import Binaries
from security_of_files import Crash, Links, Modes
from security_of_memory import Memory
from security_of_promises import Promises
from security_of_secrets import Canary
from security_of_time import Drip, Starved
from security_of_tls import Replaced

__all__ = (
    "Binaries Canary Crash Display Drip Links Memory Modes Promises Replaced Smuggling Starved"
).split()

if __name__ == "__main__":
    unittest.main()
