"""A build of its own by clang 14, for what a Release build cannot show."""

import os
import pathlib
import shutil
import subprocess

from campaign import Refused
from harness import REPOSITORY

SOURCES = ("CMakeLists.txt", "engine", "io", "samples/gateway", "tests")


def sources():
    """Every file that such a build, or what runs in it, is made of."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *SOURCES],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (REPOSITORY / name for name in listed.stdout.split("\n") if name)
    return [path for path in paths if path.is_file()]


def look_for(*tools):
    """Refused, if one is not there."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise Refused(f"{tool} is not there (`samples/install check` installs it)")


def built(name, targets, *definitions):
    """Configures and builds beside the usual build. @return its directory"""
    look_for("clang++-14")
    folder = pathlib.Path(os.environ.get("SAGORDER_CLANG_BUILDS", REPOSITORY)) / f"build-{name}"
    told = folder / "campaign-build.log"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"building {folder} (what it says is in {told.name})", flush=True)
    commands = (
        [
            *("cmake", "-S", REPOSITORY, "-B", folder, "-G", "Ninja"),
            *("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=clang++-14", *definitions),
        ],
        ["cmake", "--build", folder, "--", *targets],
    )
    with open(told, "w", encoding="utf-8") as log:
        for command in commands:
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                raise Refused(f"the build failed: {told}")
    return folder
