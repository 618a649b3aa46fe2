"""The request that every client sends: the bytes of a real one, by `sagorder run --dry-run`."""

import os
import subprocess

SIGNATURE = "0" * 64  # in the place of the one that --dry-run hides; as long
HEADING = "Request (*** hides secrets)\n"
ORDERS_HEADER = "RegionId,UserCount,Period,AutoPay\n"


def write_orders(path, count):
    """A file of valid orders, all of them different from their neighbours."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(ORDERS_HEADER)
        file.writelines(f"cn-shanghai,{(n % 200 + 1) * 5},12,true\n" for n in range(count))


def environment(work):
    """What sagorder sees: a key that is none, and a memory of batches of its own."""
    return {"PATH": os.environ["PATH"], "ALIBABA_CLOUD_ACCESS_KEY_ID": "testid",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret", "XDG_STATE_HOME": str(work / "state")}


def bytes_of(shown):
    """The request in the output of --dry-run, where each of its lines is indented by two."""
    lines = []
    for line in shown.split(HEADING, 1)[1].splitlines():
        if not line.startswith("  "):
            break
        lines.append(line[2:])
    return "\r\n".join(lines + ["", ""]).replace("***", SIGNATURE).encode()


def signed_request(sagorder, endpoint, work):
    """The bytes of a request to this endpoint."""
    orders = work / "one.csv"
    write_orders(orders, 1)
    shown = subprocess.run(
        [sagorder, "run", orders, "--output", work / "one-results.csv", "--dry-run",
         "--endpoint", endpoint],
        env=environment(work), check=True, capture_output=True, text=True).stdout
    return bytes_of(shown)


def wrk_script(request):
    """The same request for wrk, which makes its bytes of this once, before it begins."""
    head = request.decode().split("\r\n\r\n")[0].split("\r\n")
    method, path, _ = head[0].split(" ")
    script = [f'wrk.method = "{method}"', f'wrk.path = "{path}"']
    for line in head[1:]:
        name, value = line.split(": ", 1)
        script.append(f'wrk.headers["{name.title()}"] = "{value}"')
    return "\n".join(script) + "\n"
