"""bench/RESULTS.md: a section for each thing measured, written by the command that it names."""

import datetime
import os
import pathlib
import platform
import re
import subprocess
import textwrap

FRAME = """\
# What was measured

Each section names the command that wrote it, the day and the machine. Absolute figures belong to
that machine and that hour: compare what stands in one table, and ratios rather than times. What
each command measures, and how, is in [README.md](README.md).
"""


def with_section(text, heading, body):
    """The text with the section `## heading` replaced, or put at its end; the others unchanged."""
    section = f"## {heading}\n\n{body.strip()}\n"
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        return text.rstrip("\n") + "\n\n" + section
    rest = text[found.end():]
    return text[:found.start()] + section + ("\n" + rest if rest else "")


def wrapped(lines):
    """As a body: prose at most 100 columns wide, tables and pictures as they are."""
    return "\n".join(line if line.startswith(("|", "!")) else
                     textwrap.fill(line, 100, break_long_words=False, break_on_hyphens=False)
                     for line in lines)


def put(path, heading, body):
    """Into the file, which begins with its frame if there was none."""
    text = path.read_text(encoding="utf-8") if path.exists() else FRAME
    path.write_text(with_section(text, heading, body), encoding="utf-8")


def said_by(*command, lines=1):
    """The first lines that a command says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "\n".join((done.stdout or done.stderr).splitlines()[:lines]) or "?"


def file_system(path):
    return said_by("findmnt", "-n", "-o", "FSTYPE", "--target", str(path))


def machine(work, sagorder):
    """One paragraph: the day, the processor, the kernel, the programs, the ledger's disk."""
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text("ascii"),
                    re.MULTILINE)
    wrk = said_by("wrk", "-v").split(" [")[0]
    nginx = said_by("/usr/sbin/nginx", "-v").rpartition(" ")[2]
    openssl = " ".join(said_by("openssl", "version").split()[:2])
    build = ", ".join(said_by(sagorder, "--version", lines=2).splitlines())
    return (f"{datetime.date.today()}, {build}, {len(os.sched_getaffinity(0))} cores of "
            f"{cpu[1] if cpu else platform.machine()}, Linux {platform.release()}, {openssl}, "
            f"{nginx}, {wrk}, SQLite {sqlite_version()}, ledger on {file_system(work)}.")


def sqlite_version():
    return said_by("dpkg-query", "-W", "-f", "${Version}", "libsqlite3-0")
