"""What the linker was asked for stands in the programs, and what tests are built with does not."""

import re
import subprocess
import unittest

from harness import BUILD, GATEWAY, SAGORDER, build_setting

# What a program that is made to fail on purpose would bear.
HOOKS = re.compile(r"kill_point|planted|fault_point|SAGORDER_KILL|SAGORDER_PLANT", re.IGNORECASE)


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True)
    return done.stdout


@unittest.skipUnless(build_setting("CMAKE_BUILD_TYPE") == "Release", "the build is no Release")
class Binaries(unittest.TestCase):
    def test_are_hardened(self):
        for program in (SAGORDER, GATEWAY):
            with self.subTest(program=program.name):
                self.hardened(program)

    def hardened(self, program):
        header = output_of("readelf", "-hW", program)
        self.assertRegex(header, r"Type: +DYN", "not position independent")
        dynamic = output_of("readelf", "-dW", program)
        self.assertRegex(dynamic, r"FLAGS_1\).*\bPIE\b")
        self.assertRegex(dynamic, r"FLAGS_1\).*\bNOW\b|\bBIND_NOW\b")
        self.assertNotIn("TEXTREL", dynamic)
        self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH)\)")
        segments = output_of("readelf", "-lW", program)
        self.assertIn("GNU_RELRO", segments)
        stack = re.search(r"GNU_STACK +(?:0x\w+ +){5}(\w+)", segments)
        self.assertEqual(stack[1], "RW", "the stack can be executed")
        both = re.findall(r"LOAD +(?:0x\w+ +){5}([RWE ]+?) +0x", segments)
        self.assertGreater(len(both), 2)
        self.assertEqual([flags for flags in both if "W" in flags and "E" in flags], [])
        names = output_of("readelf", "-sW", "--dyn-syms", program)
        self.assertIn("__stack_chk_fail", names)
        self.assertRegex(names, r"__\w+_chk@", "no call is fortified")

    def test_hold_no_fault_hooks(self):
        for what in (("nm", "-C"), ("strings", "-a")):
            with self.subTest(by=what[0]):
                text = output_of(*what, SAGORDER)
                self.assertGreater(len(text), 10_000)
                self.assertEqual(HOOKS.findall(text), [])

    def test_name_no_place_of_the_build(self):
        """A path in a program tells who built it, and where."""
        self.assertNotIn(str(BUILD), output_of("strings", "-a", SAGORDER))
