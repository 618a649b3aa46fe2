"""A standby of a test's PostgreSQL server (database.py), by the scripts of samples/compose, and
what can become of the two.

    with Server() as server, Standby(server) as standby:
        uri = standby.uri_of_both(server.new_database())
        ...
        server.crash()
        standby.promote()
"""

import os
import pathlib
import shutil
import signal
import time

from database import PATIENCE_SECONDS, POSTGRES, USER, give_away
from harness import REPOSITORY

COMPOSE = REPOSITORY / "samples" / "compose"
SCRIPT = COMPOSE / "standby.sh"
PRIMARY_SCRIPT = COMPOSE / "primary.sh"
NAME = "standby"  # what the script calls it


class Standby:
    """As long as the `with` block, which is within the server's."""

    def __init__(self, server):
        self.server = server
        self.folder = pathlib.Path(server.folder) / NAME
        self.data = self.folder / "data"

    def __enter__(self):
        self.folder.mkdir()
        give_away(self.folder)
        hba = self.server.folder / "data" / "pg_hba.conf"
        hba.write_text(hba.read_text() + "local replication all trust\n")
        self.server.sql("SELECT pg_reload_conf()")
        variables = [
            f"PGHOST={self.server.folder}",
            f"PGUSER={USER}",
            f"PGDATA={self.data}",
            f"PATH={POSTGRES}:{os.environ['PATH']}",
        ]
        self.server.spawn(
            [
                *("env", *variables, "sh", self.copy_of(SCRIPT)),
                *("-c", f"unix_socket_directories={self.folder}"),
            ],
            "SIGQUIT",
            signal.SIGQUIT,
        )
        self.server.wait_for([POSTGRES / "pg_isready", "-q", "-h", self.folder])
        return self

    def __exit__(self, *ignored):
        """The server ends all that it started."""

    def copy_of(self, script):
        """Where the server's user can read it, which may not enter the home of whoever tests."""
        return shutil.copy(script, self.folder)

    @property
    def process(self):
        return self.server.processes[-1][0]

    def be_waited_for(self):
        """No commit of the server's is told before the standby has it."""
        data = self.server.folder / "data"
        self.server.run(["env", f"PGDATA={data}", "sh", self.copy_of(PRIMARY_SCRIPT)])
        self.server.sql("SELECT pg_reload_conf()")
        self.wait_until("SELECT sync_state FROM pg_stat_replication", [["sync"]])

    def wait_until(self, statement, rows, uri=None):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.server.sql(statement, uri) != rows:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{statement} is not {rows}: " + self.server.output())
            time.sleep(0.02)

    def hears_nothing(self):
        """From now on it gets nothing of what the server commits."""
        itself = self.uri("postgres")
        self.server.sql("ALTER SYSTEM SET primary_conninfo = ''", itself)
        self.server.sql("SELECT pg_reload_conf()", itself)
        self.wait_until("SELECT count(*) FROM pg_stat_wal_receiver", [["0"]], itself)

    def promote(self):
        """It is the primary from then on. Whoever promotes sees to it that the old one is gone."""
        self.server.run([POSTGRES / "pg_ctl", "promote", "-w", "-D", self.data])

    def uri(self, database):
        return f"postgresql:///{database}?host={self.folder}&user={USER}"

    def uri_of_both(self, uri):
        """The address of a database of the server's, wherever it can be written."""
        both = uri.replace(f"host={self.server.folder}", f"host={self.server.folder},{self.folder}")
        return both + "&target_session_attrs=read-write"


