"""A private service for a bench (`bitfront up` on a free port with its own data and cache folder, ended with the bench), and what it runs with."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "bitfront")
ENDED = {"completed", "failed", "cancelled", "pruned"}


def python_of(name):
    """The Python of the environment that holds requirements-NAME.txt, installed where it is missing (python_of.sh)."""
    source = f'here="{HERE}"; . "$here/python_of.sh"; python_of {name}'
    return subprocess.run(["bash", "-c", source], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def built():
    """The program, built by cargo where it is not up to date."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "bitfront", "--bin", "bitfront"]
    subprocess.run(command, cwd=ROOT, env=dict(os.environ, SQLX_OFFLINE="true"), check=True)
    return BINARY


def new_folder():
    """A folder that Postgres' own user can enter, too."""
    folder = tempfile.mkdtemp(prefix="bfbench.")
    os.chmod(folder, 0o755)
    return folder


class Service:
    """`with Service(folder, data=..., name=...) as service`: the data set is registered when the block begins."""

    def __init__(self, folder, data, name, workers=1, slots=1, binary=None, deadline_s=900):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self.folder, self.data, self.name, self.binary = folder, data, name, binary or built()
        self.workers, self.slots = workers, slots
        self.end = time.monotonic() + deadline_s

    def __enter__(self):
        environment = dict(os.environ, BITFRONT_SLOTS=str(self.slots), BITFRONT_CACHE=os.path.join(self.folder, "cache"))
        command = [self.binary, "up", "--workers", str(self.workers), "--bind", self.address, "--data", os.path.join(self.folder, "d")]
        self.log = open(os.path.join(self.folder, "up.log"), "a", encoding="utf-8")
        self.up = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)
        # SIGTERM ends the bench by an exception, which ends the service.
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit("ended from outside")))
        try:
            while self.bitfront("dataset", "add", self.data, "--name", self.name).returncode:
                self.wait("no service")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.up.send_signal(signal.SIGINT)
        self.up.wait(60)
        self.log.close()

    def wait(self, what, seconds=0.5):
        """Sleeps, or ends the bench where the service has ended or time is up."""
        if time.monotonic() > self.end or self.up.poll() is not None:
            raise SystemExit(f"{what}; see {self.log.name}")
        time.sleep(seconds)

    def bitfront(self, *words):
        return subprocess.run([self.binary, *words, "--url", self.url], capture_output=True, text=True)

    def submit(self, path, *overrides):
        """The search's id."""
        done = self.bitfront("submit", path, "--json", *overrides)
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)["id"]

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=10) as answer:
            return json.load(answer)

    def trials(self, search):
        """All trials of a search, page by page."""
        items, cursor = [], ""
        while True:
            page = self.get(f"/searches/{search}/trials?page_size=1000{cursor}")
            items += page["items"]
            if not page.get("next_page_token"):
                return items
            cursor = f"&page_token={page['next_page_token']}"
