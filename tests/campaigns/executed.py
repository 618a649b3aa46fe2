"""The executed logs of gateways that serve many batches: whose order is told by ResourceGroupId."""

import json


class Executed:
    """Reads each log once, as it grows. Every batch bears a tag of its own in ResourceGroupId."""

    def __init__(self):
        self.tags = 0
        self.lines = {}  # by tag
        self.seen = {}  # bytes, by path

    def new_tag(self):
        self.tags += 1
        return f"rg-{self.tags:08}"

    def read(self, gateway):
        """What it executed since the last look."""
        path = gateway.executed_path
        if not path.exists():
            return
        with open(path, "rb") as log:
            log.seek(self.seen.get(path, 0))
            data = log.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.seen[path] = self.seen.get(path, 0) + len(whole)
        for line in whole.splitlines(keepends=True):
            tag = json.loads(line).get("resource_group_id", "")
            self.lines.setdefault(tag, []).append(line)

    def write(self, tag, path):
        """Makes `path` the log of this batch alone. @return its lines as dicts"""
        lines = self.lines.get(tag, [])
        path.write_bytes(b"".join(lines))
        return [json.loads(line) for line in lines]

    def forget(self, tag):
        self.lines.pop(tag, None)

    def strangers(self):
        """Sentences about orders of batches that are not there; they are forgotten."""
        found = [f"executed for {tag!r}, which is no batch" for tag in self.lines]
        self.lines.clear()
        return found
