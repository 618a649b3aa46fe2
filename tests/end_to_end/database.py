"""A PostgreSQL server of a test's own, and a pooler in front of it if wanted.

    with Server() as server:
        uri = server.new_database()
        ...

    python3 database.py COMMAND...    runs a command with SAGORDER_TEST_SERVER (the address of a
                                      database to make others from) and SAGORDER_TEST_POOLER (the
                                      same through pgbouncer, in transaction mode)

All of it is in a temporary folder, on Unix sockets, and ends with the process that started it,
however that ends. PostgreSQL does not run as root: then its processes are user `postgres`.
"""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import pwd
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
POOLER = "/usr/sbin/pgbouncer"
USER = "postgres"
ASKED = "asked"
PATIENCE_SECONDS = 60
ROOM_BYTES = 1 << 30

# A file's table to its columns, with what is in their place in the database's table.
COPIED = {
    "kind": [("id", "id"), ("name", "name")],
    "intent": [(name, name) for name in ("seq", "row", "attempt", "at_ms", "nonce")],
    "outcome": [
        (name, name)
        for name in (
            *("seq", "kind", "row", "attempt", "at_ms", "http_status", "latency_ms", "order_id"),
            *("sag_id", "request_id", "code", "message", "evidence"),
        )
    ],
}
COPIED["intent"][2] = ("attempt", "number")
SOURCES = {"kind": "kind", "intent": "attempt", "outcome": "outcome"}


def as_user(command, *, ends_with_us=None):
    """The command as the user who may run a server; with a signal for when this process dies."""
    options = ["--pdeathsig", ends_with_us] if ends_with_us else []
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        options += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return ["setpriv", *options, "--", *(str(each) for each in command)]


def quick_place():
    """A server syncs each of its files: in memory that takes no time. None: the usual place."""
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    return memory if roomy and os.access(memory, os.W_OK) else None


def give_away(path):
    """What a server works in is its user's own."""
    if os.geteuid() == 0:
        shutil.chown(path, USER, USER)


@functools.cache
def empty_cluster():
    """The folder of one that was never started: each server of this process gets a copy, so that
    their system identifiers are the same."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-cluster-", dir=quick_place()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    give_away(folder)
    options = ["-U", USER, "-E", "UTF8", "--locale", "C.UTF-8", "--auth", "trust", "--no-sync"]
    run([POSTGRES / "initdb", "-D", folder / "data", *options], folder)
    return folder / "data"


def run(command, folder):
    """As the server's user. @return what it printed"""
    done = subprocess.run(
        as_user(command), capture_output=True, text=True, cwd=folder, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """As long as the `with` block. Of its users, ASKED alone is asked for a password.

    `place` is the folder in which its own is made (None: where syncs take no time), `settings` are
    more lines of its configuration.
    """

    def __init__(self, *settings, place=None):
        self.settings = settings
        self.place = place
        self.folder = None
        self.processes = []
        self.main = None
        self.databases = 0

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="sagorder-database-", dir=self.place or quick_place()))
        give_away(self.folder)
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *ignored):
        for process, how in reversed(self.processes):
            process.send_signal(how)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self):
        data = self.folder / "data"
        self.run(["cp", "-a", empty_cluster(), data])
        with open(data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("listen_addresses = ''\n")
            file.write(f"unix_socket_directories = '{self.folder}'\n")
            file.write("max_connections = 50\nshared_buffers = 32MB\nlog_statement = none\n")
            file.writelines(f"{each}\n" for each in self.settings)
        (data / "pg_hba.conf").write_text(
            f"local all {ASKED} scram-sha-256\nlocal all all trust\n"
        )

    def start(self):
        """Also after `crash`."""
        self.spawn([POSTGRES / "postgres", "-D", self.folder / "data"], "SIGQUIT", signal.SIGQUIT)
        self.main = self.processes[-1]
        self.wait_for([POSTGRES / "pg_isready", "-q", "-h", self.folder])

    def crash(self):
        """Ends it at once, as nobody should; the next start recovers what was committed."""
        self.processes.remove(self.main)
        process, how = self.main
        process.send_signal(how)
        process.wait(PATIENCE_SECONDS)

    def freeze(self):
        """It stands still, with all its connections, until `thaw`."""
        self.signal_all(signal.SIGSTOP)

    def thaw(self):
        self.signal_all(signal.SIGCONT)

    def signal_all(self, how):
        """The main process is the first, so that it starts no other one meanwhile."""
        main, _ = self.main
        os.kill(main.pid, how)
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = stat.read_text().rpartition(")")[2].split()[1]
                if int(parent) == main.pid:
                    os.kill(int(stat.parent.name), how)

    def start_pooler(self, mode="transaction"):
        """pgbouncer in front of it. @return the folder of its socket"""
        folder = self.folder / mode
        folder.mkdir()
        give_away(folder)
        (folder / "users.txt").write_text(f'"{USER}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={self.folder}\n[pgbouncer]\nlisten_addr =\n"
            f"auth_type = trust\nauth_file = {folder}/users.txt\nunix_socket_dir = {folder}\n"
            f"pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n"
        )
        self.spawn([POOLER, "-q", folder / "pgbouncer.ini"], "SIGKILL", signal.SIGKILL)
        self.wait_for([POSTGRES / "pg_isready", "-q", "-h", folder, "-p", "6432"])
        return folder

    def spawn(self, command, when_we_die, to_end_it):
        with open(self.folder / "output", "ab") as output:
            process = subprocess.Popen(
                as_user(command, ends_with_us=when_we_die),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                process_group=0,
            )
        self.processes.append((process, to_end_it))

    def run(self, command):
        return run(command, self.folder)

    def wait_for(self, command):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while subprocess.run(as_user(command), cwd=self.folder, check=False).returncode != 0:
            process, _ = self.processes[-1]
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("it did not start: " + self.output())
            time.sleep(0.02)

    def output(self):
        """What its processes wrote, for messages."""
        return (self.folder / "output").read_text(errors="replace")

    def uri(self, database=USER, *, folder=None, user=USER):
        port = "" if folder is None else "&port=6432"
        return f"postgresql:///{database}?host={folder or self.folder}&user={user}{port}"

    def new_database(self):
        """@return its address"""
        self.databases += 1
        name = f"batches_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.uri(name)

    def ask_for(self, password, database):
        """@return the address of the database for a user who is asked for this password"""
        self.sql(f"CREATE ROLE {ASKED} LOGIN PASSWORD '{password}'")
        self.sql(f"GRANT CREATE ON DATABASE {database} TO {ASKED}")
        return self.uri(database, user=ASKED)

    def dump(self, uri):
        """@return the database as text, for `restore`"""
        return self.run([POSTGRES / "pg_dump", uri])

    def restore(self, uri, dump):
        """The database as it was then, in the place of what it is now."""
        name = uri.split("/")[3].split("?")[0]
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {name}")
        file = self.folder / "dump.sql"
        file.write_text(dump, encoding="utf-8")
        give_away(file)
        self.run([POSTGRES / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-1", "-f", file, uri])

    def sql(self, statement, uri=None):
        """Runs a statement. @return its rows, a list of texts each"""
        return [line.split("|") for (line,) in self.sql_whole(statement, uri)]

    def sql_whole(self, statement, uri=None):
        """The same, each row as one text."""
        command = [POSTGRES / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return [[line] for line in self.run([*command, uri or self.uri()]).splitlines()]


def copy_ledger(server, uri, path):
    """Writes the records of the database's one batch into a file as the program makes them, for
    those who read such files (evidence.read_ledger). The numbers of records have gaps in a
    database; in the copy they have none."""
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    numbers = server.sql(
        "SELECT seq FROM sagorder.attempt UNION ALL SELECT seq FROM sagorder.outcome ORDER BY 1",
        uri,
    )
    place = {int(number): i for i, (number,) in enumerate(numbers, 1)}
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        for table, columns in COPIED.items():
            names = ", ".join(name for name, _ in columns)
            file.execute(f"CREATE TABLE {table}({names})")
            cells = ", ".join(f"'{name}', {source}" for name, source in columns)
            for (line,) in server.sql_whole(
                f"SELECT json_build_object({cells}) FROM sagorder.{SOURCES[table]}", uri
            ):
                values = json.loads(line)
                if "seq" in values:
                    values["seq"] = place[values["seq"]]
                marks = ", ".join("?" * len(columns))
                file.execute(
                    f"INSERT INTO {table} VALUES({marks})", [values[name] for name, _ in columns]
                )


def main():
    with Server() as server:
        environment = dict(os.environ, SAGORDER_TEST_SERVER=server.uri())
        environment["SAGORDER_TEST_POOLER"] = server.uri(folder=server.start_pooler())
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
