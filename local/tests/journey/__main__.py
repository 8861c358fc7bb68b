"""Tests the real programs under local/run, first with the commands of the documentation.

    JOSE=... PLAYWRIGHT_CORE=... AXE_CORE=... CHROMIUM=... python3 local/tests/journey PORT

The first three are folders of npm packages, the last is the path of a browser. PyJWT must be installed. local/test
installs all but the browser. With SCREENSHOT=FILE, the journey writes an image of the page.

Starts local/run on that port, with an empty database. Walks through the documentation, checks what requires
real HTTP, runs the verifiers, and tests the pages in a browser. Then restarts local/run, and searches everything
that it printed for secrets.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path

from account import check_account
from client import Client
from documents import EXPECTATIONS, check_invoke, walk_documents
from endpoints import check_endpoints, check_restarted
from leaks import Secrets, check_log
from server import Server
from site_pages import check_site
from verifiers import check_verifiers

SECONDS_TO_WALK = 300


def main():
    port = int(sys.argv[1])
    # An exit by exception stops the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A request to a function that can't start never gets a response.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"Not finished within {SECONDS_TO_WALK} s"))
    secrets = Secrets()
    client = Client(port, secrets)
    servers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            servers.append(Server(port, Path(folder)))
            servers[0].wait()
            signal.alarm(SECONDS_TO_WALK)
            walk_documents(port, secrets)
            check_invoke(port)
            keys = json.loads((Path(folder) / "keys.json").read_text("utf-8"))
            check_account(client, keys)
            check_endpoints(client)
            with tempfile.TemporaryDirectory() as beside:
                tokens = check_verifiers(client, Path(beside), keys)
            sends_of_site = check_site(client)
            servers[0].stop()

            servers.append(Server(port, Path(folder)))
            servers[1].wait()
            check_restarted(client, tokens)
            servers[1].stop()

            check_log(servers[0].lines + servers[1].lines, secrets, sends=11 + sends_of_site)
        except BaseException:
            print("Output of local/run:\n", *[line for server in servers for line in server.lines], sep="| ")
            raise
        finally:
            for server in servers:
                server.kill()
    walked = f"{len(EXPECTATIONS)} commands of the documentation, real HTTP, its verifiers"
    print(f"{walked}, the pages, a restart and the log: passed")


if __name__ == "__main__":
    main()
