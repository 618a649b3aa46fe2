"""Reads a page of documentation as what it says it is: commands, and what they print.

In a fenced block, a line that begins with `$ ` is a command; it goes on through lines that end in
a backslash, a here-document, and after a line that ends in `&`, lines that are indented by two
blanks. What follows is what it prints. A block without such a line is given to the shell as it is.
All of a page runs in one shell.

Printed and expected are compared line by line after `masked`: what no two runs share is replaced.
An expected `...` within a line stands for anything, a line of its own for any lines. `numbers
differ` in a comment (<!-- -->) right before a block masks its numbers too. What the page shows to
be asked is run on a terminal, and answered with yes.
"""

import dataclasses
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile

from harness import BUILD, REPOSITORY, TIME_SCALE

PORT = "8443"  # as the pages write it; a test takes a free one
MARK = "@@ end of command"

BLOCK = re.compile(r"(?ms)(<!--[^>]*-->\n)?^```\n(.*?)^```$")
ASKED = "Type 'yes' to place them: "
ASKED_AND_ANSWERED = re.compile(f"{ASKED}(yes)?(\r?\n)?")
ANSWER = re.compile(r"(?m)^yes\r?\n")
NOISE = [
    # What a terminal acts on, a bar, and lines of progress: as many as time there is.
    re.compile(r"\x1b\[[0-9;]*[A-Za-z]"),
    re.compile(r"\r(?=\n)"),
    re.compile(r"(?m)^[^\n]*\r(?=.)"),
    re.compile(r"(?m)^\[[#.]+\] .*\n"),
    re.compile(r"(?m)^\d+ of \d+ rows: .*\n"),
    re.compile(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  (?=info|warning|error)"),
    # What stands on no terminal: rows that were not placed, and the run behind each line.
    re.compile(r"(?m)^warning  (a row|more rows) (is|was|are|were) .*\n"),
    re.compile(r"(?m)  (# |row=\d+ )?run=[0-9a-f]{8}$"),
]
MASKS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\b[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\b"), "<request>"),
    (re.compile(r"\bsag-[0-9a-z]+"), "<instance>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<nonce>"),
    (re.compile(r"\b\d{14,16}\b"), "<order>"),
    (re.compile(r"\b\d+\.\d+( ms| s|/s)"), r"<number>\1"),
    (re.compile(r"(?m)^waited .*$"), "waited <times>"),
]
NUMBER = re.compile(r"\b\d+\b")
BLANKS = re.compile(r" +")


@dataclasses.dataclass
class Step:
    """A command, what the page says it prints (None: nothing is said), and how that is compared."""

    command: str
    expected: str | None
    numbers_differ: bool = False


def steps_of(text):
    """The steps of a page, or of a part of it, in order."""
    steps = []
    for comment, block in BLOCK.findall(text):
        if re.search(r"(?m)^\$ ", block):
            steps += transcript(block, "numbers differ" in comment)
        else:
            steps.append(Step(block, None))
    return steps


def transcript(block, numbers_differ):
    """The steps of a block with `$ `."""
    steps = []
    for part in re.split(r"(?m)^\$ ", block)[1:]:
        lines = part.splitlines()
        size = command_size(lines)
        command = "\n".join(lines[:size])
        expected = "".join(line + "\n" for line in lines[size:])
        steps.append(Step(command, expected, numbers_differ))
    return steps


def command_size(lines):
    """How many of the lines are the command."""
    here = re.search(r"<<'(\w+)'", lines[0])
    if here:
        return lines.index(here[1]) + 1
    size = 1
    while size < len(lines) and (
        lines[size - 1].endswith("\\") or (lines[0].endswith("&") and lines[size].startswith("  "))
    ):
        size += 1
    return size


def masked(text, numbers_differ=False):
    """What two runs share of a text."""
    # A terminal shows the answer where it comes, which is before the question here.
    text = ANSWER.sub("", ASKED_AND_ANSWERED.sub("<asked>\n", text))
    for noise in NOISE:
        text = noise.sub("", text)
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    if numbers_differ:
        text = BLANKS.sub(" ", NUMBER.sub("<n>", text))
    # Where an answer is shown, and whether a bar came before it, decides about empty lines.
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def agrees(printed, step):
    """Whether what was printed is what the page says."""
    wanted = masked(step.expected, step.numbers_differ).split("\n")
    lines = [
        "(?s:.*)" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") for line in wanted
    ]
    return re.fullmatch("\n".join(lines), masked(printed, step.numbers_differ)) is not None


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


class Session:
    """All steps in one shell, in the repository, with programs from `path`."""

    def __init__(self, path, folder, timeout=120):
        self.path = path
        self.folder = pathlib.Path(folder)
        self.timeout = timeout * TIME_SCALE
        self.port = free_port()

    def run(self, steps):
        """@return what each step printed, in the page's words where it names its port"""
        script = self.folder / "page.sh"
        script.write_text(self.script(steps), encoding="utf-8")
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": f"{self.path}:{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(self.folder),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
        }
        environment |= {
            name: os.environ[name]
            for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
            if name in os.environ
        }
        output = self.output_of(["bash", str(script)], environment)
        printed = output.replace(self.port, PORT).split(MARK + "\n")
        if len(printed) != len(steps) + 1:
            raise AssertionError(f"the page's shell ended early: {output}")
        return printed[:-1]

    def output_of(self, command, environment):
        """All that it and its children print; if they take too long they are all ended."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=REPOSITORY,
            env=environment,
            process_group=0,
        )
        try:
            return process.communicate(timeout=self.timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"the page took too long: {process.communicate()[0]}") from None

    def script(self, steps):
        """The page as a script: a mark after each step, and what it started ended at the end."""
        wait = f"until (: 3<>/dev/tcp/127.0.0.1/{self.port}) 2>/dev/null; do sleep 0.05; done\n"
        lines = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"]
        for step in steps:
            text = step.command.replace(PORT, self.port)
            if step.expected is None:
                text = re.sub(r"(?m)^export PATH=.*\n", "", text)
                # What goes on by itself says what it likes.
                text = re.sub(r"&\s*$", ">gateway.txt 2>&1 &\n", text)
                text += wait if "sagorder-gateway" in text else ""
            elif ASKED in step.expected:
                text = f"script -qec {shlex.quote(text)} /dev/null <<< yes"
            # The exit code is the next command's to show.
            lines.append(f"{text}\nended=$?; echo '{MARK}'; (exit $ended)\n")
        return "".join(lines)


def installed(folder):
    """The programs as a package lays them, below `folder`. @return where they are"""
    prefix = pathlib.Path(folder, "usr")
    subprocess.run(
        ["cmake", "--install", BUILD, "--prefix", prefix, "--component", "program"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return str(prefix / "bin")


def built():
    """The programs in the build."""
    return f"{BUILD}:{BUILD / 'samples' / 'gateway'}"


def temporary():
    return tempfile.TemporaryDirectory(prefix="sagorder-page-")
