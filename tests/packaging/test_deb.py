"""The Debian package by cpack: its fields and its contents. Installing it is tests/package's."""

import gzip
import pathlib
import re
import shutil
import tempfile
import unittest

from built import BUILD, PAGES, REPOSITORY, run


class Deb(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-deb-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        made = run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder)
        assert made.returncode == 0, made.stdout + made.stderr
        (cls.deb,) = cls.folder.glob("*.deb")
        cls.root = cls.folder / "root"
        unpacked = run("dpkg-deb", "-x", cls.deb, cls.root)
        assert unpacked.returncode == 0, unpacked.stderr

    def field(self, name):
        return run("dpkg-deb", "-f", self.deb, name).stdout.strip()

    def version(self):
        cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
        return re.search(r"^project\(sagorder VERSION (\S+)", cmake, re.MULTILINE)[1]

    def test_fields(self):
        architecture = run("dpkg", "--print-architecture").stdout.strip()
        self.assertEqual(self.deb.name, f"sagorder_{self.version()}-1_{architecture}.deb")
        self.assertEqual(self.field("Package"), "sagorder")
        self.assertEqual(self.field("Version"), self.version() + "-1")
        self.assertEqual(self.field("Architecture"), architecture)
        self.assertIn("ordered twice", self.field("Description"))
        self.assertRegex(self.field("Maintainer"), r"^[^<>]+ <[^<>@]+@[^<>@]+>$")

    def test_dependencies_are_what_the_programs_are_linked_with(self):
        depends = {each.split()[0] for each in self.field("Depends").split(",")}
        needed = {"libc6", "libssl3", "libsqlite3-0", "libpq5", "ca-certificates"}
        self.assertLessEqual(needed, depends)
        # libspdlog1.10 is depended on as libspdlog1.10-fmt9, which it provides.
        packages = depends | {each.removesuffix("-fmt9") for each in depends}
        files = run("dpkg-query", "-L", *sorted(packages)).stdout.splitlines()
        there = {pathlib.PurePath(each).name for each in files}
        for program in ("sagorder", "sagorder-gateway"):
            needed = run("readelf", "-d", self.root / "usr/bin" / program).stdout
            libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", needed))
            self.assertIn("libssl.so.3", libraries)
            self.assertLessEqual(libraries, there)

    def test_contents(self):
        for path in (
            "bin/sagorder",
            "bin/sagorder-gateway",
            "share/bash-completion/completions/sagorder",
            "share/zsh/vendor-completions/_sagorder",
            "share/fish/vendor_completions.d/sagorder.fish",
            "share/doc/sagorder/copyright",
            "share/doc/sagorder/README.md",
            "share/doc/sagorder/examples/orders.csv",
            "share/doc/sagorder/examples/systemd/sagorder@.service",
            "share/doc/sagorder/examples/kubernetes/cronjob.yaml",
            "share/doc/sagorder/examples/ci/place_orders.sh",
            "share/doc/sagorder/examples/benchmark/measure",
            "share/doc/sagorder/examples/first_hour.md",
            "share/doc/sagorder/examples/onboarding/offices.csv",
            "share/doc/sagorder/examples/compose/README.md",
            "lib/systemd/system/sagorder@.service",
            "lib/systemd/system/sagorder@.timer",
            "lib/sysusers.d/sagorder.conf",
        ):
            self.assertTrue((self.root / "usr" / path).is_file(), path)
        pages = {page.name for page in (self.root / "usr/share/man/man1").iterdir()}
        self.assertEqual(pages, {page.name + ".gz" for page in (PAGES / "man/man1").iterdir()})
        for absent in ("include", "lib/x86_64-linux-gnu", "share/zsh/site-functions"):
            self.assertFalse((self.root / "usr" / absent).exists(), absent)

    def test_the_program_is_stripped_and_runs(self):
        program = self.root / "usr/bin/sagorder"
        self.assertNotIn(".symtab", run("readelf", "-S", program).stdout)
        said = run(program, "--version").stdout
        self.assertEqual(said.splitlines()[0], "sagorder " + self.version())

    def test_copyright_and_changelog(self):
        documents = self.root / "usr/share/doc/sagorder"
        copyright_text = (documents / "copyright").read_text(encoding="utf-8")
        licence = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
        for line in licence.splitlines()[4:]:
            self.assertIn(f" {line}\n" if line else " .\n", copyright_text)
        holder = licence.splitlines()[2].removeprefix("Copyright (c) ")
        self.assertIn("Copyright: " + holder, copyright_text)
        self.assertRegex(copyright_text, r"Files: io/report/uplot/\*\n(.*\n)*?Copyright: .*Sorokin")
        changes = gzip.decompress((documents / "changelog.gz").read_bytes()).decode()
        self.assertEqual(changes, (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"))
        debian = gzip.decompress((documents / "changelog.Debian.gz").read_bytes()).decode()
        parsed = run("dpkg-parsechangelog", "-S", "Version", "-l", "-", input=debian)
        self.assertEqual((parsed.stdout.strip(), parsed.stderr), (self.version() + "-1", ""))

    def test_no_file_is_for_anybody_to_write(self):
        listed = run("dpkg-deb", "-c", self.deb).stdout.splitlines()
        self.assertGreater(len(listed), 20)
        for line in listed:
            self.assertRegex(line, r"^(drwxr-xr-x|-rw[x-]r-[x-]r-[x-]) root/root ")


if __name__ == "__main__":
    unittest.main()
