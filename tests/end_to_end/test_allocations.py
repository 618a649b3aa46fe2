"""What an order costs in heap allocations, from its record in the input to its line in the results:
none, on the steady path. What is allocated is the program's start and a little for each commit.
"""

import unittest

from harness import ALL_PLACED, BUILD, Batch, Gateway, is_sanitized

COUNTER = BUILD / "tests" / "end_to_end" / "liballocation_counter.so"
FEW, MANY = 8_000, 32_000  # orders

# Buffers grow to what their rows need, which no two runs do alike.
AN_ORDER_AT_MOST = 0.2
A_COMMIT_AT_MOST = 1  # the ledger's thread tells the loop


def write_orders(path, count):
    """Rows that nothing is said about: a complaint, warnings too, allocates."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("RegionId,UserCount,Period\n")
        for row in range(count):
            file.write(f"cn-shanghai,{5 * (1 + row % 200)},12\n")


class Allocations(unittest.TestCase):
    def counted(self, gateway, rows, *options):
        """Allocations of a whole run, and its commits."""
        with Batch(gateway, rows=rows) as batch:
            write_orders(batch.input, rows)
            told = batch.folder / "allocations"
            environment = {**batch.env, "LD_PRELOAD": str(COUNTER), "ALLOCATIONS": str(told)}
            done = batch.run(*options, env=environment)
            self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
            return int(told.read_text()), batch.summary()["run"]["commits"]

    def test_none_an_order(self):
        if is_sanitized():
            self.skipTest("the sanitizers bring an operator new of their own")
        for scheme in ("acs3-hmac-sha256", "hmac-sha1"):
            with self.subTest(scheme=scheme), Gateway() as gateway:
                options = ("--connections", 8, "--max-in-flight", 32, "--signature", scheme)
                few, few_commits = self.counted(gateway, FEW, *options)
                many, many_commits = self.counted(gateway, MANY, *options)
                more = many - few - A_COMMIT_AT_MOST * max(0, many_commits - few_commits)
                print(
                    f"{scheme}: {few} allocations for {FEW} orders in {few_commits} commits, "
                    f"{many} for {MANY} in {many_commits}: {more / (MANY - FEW):.3f} an order"
                )
                self.assertGreater(few, 100, "nothing was counted")
                self.assertLess(more / (MANY - FEW), AN_ORDER_AT_MOST)


if __name__ == "__main__":
    unittest.main()
