"""`cmake --install`: what is put where, and the engine as somebody else's library."""

import base64
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from built import BUILD, REPOSITORY, run

CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "prefix"
        done = run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        assert done.returncode == 0, done.stderr

    def test_programs_pages_and_completions(self):
        for path in (
            "bin/sagorder",
            "bin/sagorder-gateway",
            "share/man/man1/sagorder.1",
            "share/man/man1/sagorder-run.1",
            "share/bash-completion/completions/sagorder",
            "share/zsh/site-functions/_sagorder",
            "share/fish/vendor_completions.d/sagorder.fish",
            "share/doc/sagorder/README.md",
        ):
            self.assertTrue((self.prefix / path).is_file(), path)
        said = run(self.prefix / "bin" / "sagorder", "--version").stdout
        self.assertTrue(said.startswith("sagorder "), said)
        found = run("man", "-M", self.prefix / "share" / "man", "-w", "sagorder-status")
        self.assertEqual(found.stdout.strip(), f"{self.prefix}/share/man/man1/sagorder-status.1")

    def test_no_path_of_this_machine_is_installed(self):
        for path in self.prefix.rglob("*"):
            if path.is_file():
                self.assertNotIn(str(REPOSITORY).encode(), path.read_bytes(), path)

    def test_every_header_of_the_engine_is_there(self):
        named = {path.name for path in (REPOSITORY / "engine").glob("*.hpp")}
        there = {path.name for path in (self.prefix / "include/sagorder/engine").iterdir()}
        self.assertEqual(there, named)

    def test_a_consumer_builds_and_runs(self):
        build = self.folder / "consumer"
        with open(BUILD / "CMakeCache.txt", encoding="utf-8") as cache:
            compiler = [line for line in cache if line.startswith("CMAKE_CXX_COMPILER:")][0]
        configured = run(
            *("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"),
            f"-DCMAKE_CXX_COMPILER={compiler.strip().partition('=')[2]}",
            f"-DCMAKE_PREFIX_PATH={self.prefix}",
            env=os.environ,
        )
        self.assertEqual(configured.returncode, 0, configured.stdout + configured.stderr)
        made = run("cmake", "--build", build)
        self.assertEqual(made.returncode, 0, made.stdout)
        done = run(build / "consumer")
        mac = hmac.new(b"testsecret&", b"what is signed", hashlib.sha1).digest()
        self.assertEqual(
            done.stdout.splitlines(), ['RegionId User"Count', base64.b64encode(mac).decode(), "2021"]
        )

    def test_what_the_quick_start_builds_can_be_installed(self):
        """README: `cmake --install` and `cpack` work after it, pages and completions included."""
        script = (REPOSITORY / "samples" / "quickstart").read_text(encoding="utf-8")
        targets = re.search(r"(?m)^cmake --build \S+ --target (.+)$", script)[1].split()
        made = run("ninja", "-C", BUILD, "-t", "inputs", *targets, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        # What makes pages and completions, of the programs.
        for path in ("libsagorder-engine.a", f"{REPOSITORY}/.package/pages.cmake"):
            self.assertIn(path, made.stdout.splitlines())


if __name__ == "__main__":
    unittest.main()
