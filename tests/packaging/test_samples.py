"""samples/: units that systemd accepts, a CronJob that fits its schema, pipelines that parse, and
commands in them that the program accepts. What they say of exit codes and times agrees with it."""

import json
import os
import pathlib
import re
import shlex
import shutil
import tempfile
import unittest

import jsonschema
import yaml

from built import BUILD, REPOSITORY, SAGORDER, SAMPLES, run

EXPOSURE_MAX = 15  # of 100, as systemd-analyze counts
SYSTEMD = SAMPLES / "systemd"


def exit_codes():
    source = (REPOSITORY / "io" / "exit_code.hpp").read_text(encoding="utf-8")
    return {int(code) for code in re.findall(r"^  \w+ = (\d+),", source, re.MULTILINE)}


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-samples-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def assert_accepted(self, arguments):
        """The command is refused for its input at the earliest, and not for its arguments."""
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        done = run(SAGORDER, *arguments, cwd=self.folder, env=environment)
        self.assertNotEqual(done.returncode, 2, done.stderr)
        self.assertIn("No such file", done.stderr)


class Systemd(WithFolder):
    def unit(self):
        return (SYSTEMD / "sagorder@.service").read_text(encoding="utf-8").replace("\\\n", " ")

    def setting(self, name):
        return re.findall(rf"^{name}=(.*)$", self.unit(), re.MULTILINE)

    def test_systemd_accepts_the_units(self):
        for name in ("sagorder@.service", "sagorder@.timer"):
            text = (SYSTEMD / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text.replace("/usr/bin/sagorder", str(SAGORDER)))
        for name in ("sagorder@march.service", "sagorder@march.timer"):
            (self.folder / name).symlink_to(re.sub("@.*[.]", "@.", name))
            done = run("systemd-analyze", "verify", "--man=no", self.folder / name)
            self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_the_service_is_confined(self):
        threshold = f"--threshold={EXPOSURE_MAX}"
        done = run(
            *("systemd-analyze", "security", "--offline=true", threshold),
            SYSTEMD / "sagorder@.service",
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_command_is_one_of_the_program(self):
        (command,) = self.setting("ExecStart")
        self.assert_accepted(shlex.split(command)[1:])

    def test_times_and_exit_codes(self):
        grace = seconds(re.search(r"--grace (\S+)", self.unit())[1])
        self.assertGreater(grace, 60, "--request-timeout")
        self.assertGreater(seconds(self.setting("TimeoutStopSec")[0]), grace)
        self.assertEqual(self.setting("Restart"), ["no"])
        success = {int(code) for code in self.setting("SuccessExitStatus")[0].split()}
        self.assertEqual(success, {1, 5})
        self.assertLess(success, exit_codes())

    def test_users_file(self):
        root = self.folder / "root"
        (root / "etc").mkdir(parents=True)
        done = run("systemd-sysusers", f"--root={root}", SYSTEMD / "sagorder.sysusers")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("sagorder:", (root / "etc/passwd").read_text(encoding="utf-8"))


class Kubernetes(WithFolder):
    def setUp(self):
        super().setUp()
        text = (SAMPLES / "kubernetes" / "cronjob.yaml").read_text(encoding="utf-8")
        self.claim, self.cron = yaml.safe_load_all(text)
        self.job = self.cron["spec"]["jobTemplate"]["spec"]
        self.pod = self.job["template"]["spec"]
        self.container = self.pod["containers"][0]

    def test_it_fits_the_schema(self):
        schema_path = pathlib.Path(__file__).with_name("cronjob.schema.json")
        schema = json.loads(schema_path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(self.cron, schema)
        self.pod["restartPolicie"] = "Never"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(self.cron, schema)

    def test_every_exit_code_ends_the_job(self):
        rules = self.job["podFailurePolicy"]["rules"]
        self.assertEqual({rule["action"] for rule in rules}, {"FailJob"})
        self.assertEqual(rules[0]["onExitCodes"]["containerName"], self.container["name"])
        self.assertEqual(set(rules[0]["onExitCodes"]["values"]), exit_codes() - {0})

    def test_the_command_is_one_of_the_program(self):
        self.assert_accepted(self.container["args"])
        grace = seconds(re.search(r"--grace=(\S+)", " ".join(self.container["args"]))[1])
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], grace)

    def test_what_is_mounted_is_there_and_kept(self):
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.assertEqual({each["name"] for each in self.container["volumeMounts"]}, set(volumes))
        self.assertEqual(
            volumes["data"]["persistentVolumeClaim"]["claimName"], self.claim["metadata"]["name"]
        )
        self.assertEqual(volumes["credentials"]["secret"]["defaultMode"], 0o400)
        mounts = [each["mountPath"] for each in self.container["volumeMounts"]]
        for each in self.container["env"]:
            self.assertTrue(any(each["value"].startswith(mount) for mount in mounts), each)


class IndexedJob(WithFolder):
    def setUp(self):
        super().setUp()
        text = (SAMPLES / "kubernetes" / "indexed-job.yaml").read_text(encoding="utf-8")
        self.job = yaml.safe_load(text)
        self.spec = self.job["spec"]
        self.pod = self.spec["template"]["spec"]
        self.container = self.pod["containers"][0]

    def test_it_fits_the_schema(self):
        path = pathlib.Path(__file__).with_name("cronjob.schema.json")
        definitions = json.loads(path.read_text(encoding="utf-8"))["$defs"]
        schema = {"$defs": definitions, "$ref": "#/$defs/indexedJob"}
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(self.job, schema)
        self.spec["backofLimitPerIndex"] = self.spec.pop("backoffLimitPerIndex")
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(self.job, schema)

    def test_a_lost_pod_is_replaced_and_one_that_ended_is_not(self):
        drained, ended = self.spec["podFailurePolicy"]["rules"]
        self.assertEqual(drained["action"], "Ignore")
        self.assertEqual(drained["onPodConditions"][0]["type"], "DisruptionTarget")
        self.assertEqual(ended["action"], "FailIndex")
        self.assertEqual(ended["onExitCodes"]["containerName"], self.container["name"])
        self.assertEqual(set(ended["onExitCodes"]["values"]), exit_codes() - {0})
        self.assertEqual(self.spec["backoffLimitPerIndex"], 0)

    def test_the_command_is_one_of_the_program(self):
        self.assert_accepted(self.container["args"])
        grace = seconds(re.search(r"--grace=(\S+)", " ".join(self.container["args"]))[1])
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], grace)

    def test_what_is_mounted_is_there(self):
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.assertEqual({each["name"] for each in self.container["volumeMounts"]}, set(volumes))
        for name in ("credentials", "database"):
            self.assertEqual(volumes[name]["secret"]["defaultMode"], 0o400)
        mounts = [each["mountPath"] for each in self.container["volumeMounts"]]
        for each in self.container["env"]:
            self.assertTrue(any(each["value"].startswith(mount) for mount in mounts), each)

    def test_the_database_is_found_by_its_service(self):
        """The file that the page has made is read by libpq; nothing listens where it points."""
        page = (SAMPLES / "kubernetes" / "README.md").read_text(encoding="utf-8")
        service = re.search(r"pg_service.conf <<'END'\n(.*?)END\n", page, re.DOTALL)[1]
        service = service.replace("db.example", "localhost").replace("[sagorder]\n",
                                                                     "[sagorder]\nport=1\n")
        service = service.replace("/database/", f"{self.folder}/")
        (self.folder / "pg_service.conf").write_text(service, encoding="utf-8")
        (self.folder / "orders.csv").write_text("RegionId,UserCount,Period\ncn-shanghai,5,12\n")
        arguments = [
            re.sub("/(orders|scratch)/", f"{self.folder}/", each) for each in self.container["args"]
        ]
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "PGSERVICEFILE": str(self.folder / "pg_service.conf"),
        }
        done = run(SAGORDER, *arguments, cwd=self.folder, env=environment)
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertIn("port 1 failed", done.stderr)


class Compose(WithFolder):
    """What it starts needs a container engine and a registry; what it names is checked here, and
    its scripts are run in end_to_end/test_standby.py."""

    FOLDER = SAMPLES / "compose"

    def setUp(self):
        super().setUp()
        text = (self.FOLDER / "compose.yaml").read_text(encoding="utf-8")
        self.cluster = yaml.safe_load(text)
        self.services = self.cluster["services"]

    def test_the_commands_are_the_programs(self):
        self.assert_accepted(self.services["host"]["command"])
        gateway = self.services["gateway"]
        self.assertEqual(gateway["entrypoint"], ["sagorder-gateway"])
        folder = self.folder / "gateway"
        folder.mkdir()
        command = [each.replace("0.0.0.0:8443", "127.0.0.1:0") for each in gateway["command"]]
        refused = run(BUILD / "samples" / "gateway" / "sagorder-gateway", *command, "--unknown",
                      cwd=folder)
        self.assertIn("--unknown", refused.stderr)
        self.assertNotRegex(refused.stderr, "listen|pki|access-key|executed|latency")

    def test_what_is_named_is_there(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((self.FOLDER / source).is_file(), volume)
                else:
                    self.assertIn(source, self.cluster["volumes"], name)
            for other in service.get("depends_on", {}):
                self.assertIn(other, self.services)
            self.assertLessEqual(set(service["networks"]), set(self.cluster["networks"]))
        gateway = self.services["gateway"]["networks"]["cluster"]["ipv4_address"]
        self.assertIn(f"--resolve=localhost:8443:{gateway}", self.services["host"]["command"])
        self.assertEqual(self.services["host"]["restart"], "no")
        self.assertGreater(self.services["host"]["deploy"]["replicas"], 1)
        for script in ("primary.sh", "standby.sh"):
            self.assertEqual(run("sh", "-n", self.FOLDER / script).stderr, "")

    def test_no_password_is_in_it(self):
        text = (self.FOLDER / "compose.yaml").read_text(encoding="utf-8")
        for value in re.findall(r"PASSWORD: (.*)", text):
            self.assertEqual(value, "${DATABASE_PASSWORD:?is in .env}")


class Pipeline(WithFolder):
    SCRIPT = SAMPLES / "ci" / "place_orders.sh"

    def place(self, *arguments):
        environment = {
            "PATH": f"{BUILD}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
        }
        return run(self.SCRIPT, *arguments, cwd=self.folder, env=environment)

    def test_syntax(self):
        self.assertEqual(run("sh", "-n", self.SCRIPT).stderr, "")
        pipeline = yaml.safe_load((SAMPLES / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))
        self.assertEqual(pipeline["stages"], ["plan", "apply"])
        self.assertEqual(pipeline["apply"]["rules"][0]["when"], "manual")
        self.assertEqual(pipeline["apply"]["retry"], 0)
        self.assertIs(pipeline["apply"]["interruptible"], False)
        # The runner starts a shell through the image's entrypoint, which is the program.
        self.assertEqual(pipeline["default"]["image"]["entrypoint"], [""])
        for step in ("plan", "apply"):
            command = shlex.split(pipeline[step]["script"][-1])
            self.assertEqual(command[0], "samples/ci/place_orders.sh")
            self.assertEqual(command[1], step)

    def test_usage(self):
        for arguments in ([], ["plan"], ["apply", "orders.csv", "plan.txt"], ["other"]):
            done = self.place(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertTrue(done.stderr.startswith("usage: place_orders.sh plan ORDERS.csv PLAN\n"))

    def test_a_bad_file_makes_no_plan(self):
        shutil.copy(SAMPLES / "bad.csv", self.folder / "orders.csv")
        done = self.place("plan", "orders.csv", "plan.txt")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertFalse((self.folder / "plan.txt").exists())

    def test_only_what_was_planned_is_placed(self):
        orders = self.folder / "orders.csv"
        shutil.copy(SAMPLES / "orders.csv", orders)
        planned = self.place("plan", "orders.csv", "plan.txt")
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertRegex(planned.stdout, r"total +60")
        # As it was planned: it gets as far as the access key, which is not there.
        same = self.place("apply", "orders.csv", "plan.txt", "results.csv")
        self.assertEqual(same.returncode, 6, same.stderr)
        orders.write_text(orders.read_text().replace("10", "15", 1))
        other = self.place("apply", "orders.csv", "plan.txt", "results.csv")
        self.assertEqual(other.returncode, 4)
        self.assertIn("is not the file that was planned", other.stderr)


class Dockerfile(unittest.TestCase):
    """Building it needs a container engine and a registry; what it names is checked here."""

    def test_it_installs_by_the_list_and_names_what_is_there(self):
        text = (SAMPLES / "Dockerfile").read_text(encoding="utf-8")
        purposes = re.search(r"^RUN samples/install (.*)$", text, re.MULTILINE)[1].split()
        listed = (REPOSITORY / ".debian-packages").read_text(encoding="utf-8")
        known = set(re.findall(r"^(\w+): ", listed, re.MULTILINE))
        self.assertLessEqual(set(purposes), known)
        self.assertTrue((SAMPLES / "install").is_file())
        self.assertEqual(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)),
                         {"debian:bookworm-slim"})
        # A package named beside the list would be the one that is forgotten.
        self.assertEqual(re.findall(r"install --no-install-recommends (\S+)", text), ["/tmp/*.deb"])

    def test_what_the_package_is_made_with_is_installed_for_the_tests_too(self):
        listed = (REPOSITORY / ".debian-packages").read_text(encoding="utf-8")
        lists = {}
        for purpose, names in re.findall(r"^(\w+): (.*)$", listed, re.MULTILINE):
            lists.setdefault(purpose, set()).update(names.split())
        self.assertLessEqual(lists["package"], lists["test"])


if __name__ == "__main__":
    unittest.main()
