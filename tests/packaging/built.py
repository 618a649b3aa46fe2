"""Where the build under test is, and how a command is run in these tests."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SAGORDER_BUILD") or REPOSITORY / "build")
SAGORDER = BUILD / "sagorder"
PAGES = BUILD / "pages"
SAMPLES = REPOSITORY / "samples"


def run(*command, **options):
    """Ends, one way or another, within two minutes."""
    return subprocess.run(
        [str(word) for word in command],
        **{"capture_output": True, "text": True, "timeout": 120, "check": False, **options},
    )
