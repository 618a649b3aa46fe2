"""Where the key comes from: each place of the chain, in its order, and what is said of it.

failures_of_credentials has the files and the environment; here keys are fetched, and renewed while
a batch is under way.
"""

import unittest

from credentials_fetched import Fetched, Refused
from credentials_renewed import Expired, Interrupted, Renewed
from credentials_secrecy import FetchedCanary

__all__ = "Expired Fetched FetchedCanary Interrupted Refused Renewed".split()

if __name__ == "__main__":
    unittest.main()
