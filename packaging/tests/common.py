"""What the tests of packages share: commands, processes, and bytes through a tunnel."""

import ctypes
import http.server
import os
import pty
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# A file system of its own in the mounts of this process, which end with it.
SCRATCH = Path("/mnt")
# Seconds until what is waited for must have happened.
PATIENCE = 30
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.environ["PATH"]}

passed, skipped = [], []


def passes(what):
    passed.append(what)
    print(f"packages: {what}", flush=True)


def skips(what, why):
    skipped.append(what)
    print(f"packages: SKIPPED {what}: {why}", flush=True)


def missing(programs):
    return ", ".join(program for program in programs if not shutil.which(program))


def run(*command, **options):
    """Runs a command that must succeed; what it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def wait_for(what, look):
    """Calls `look` until it finds something."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            found = look()
            if found:
                return found
            last = "nothing"
        except OSError as error:
            last = error
        assert time.monotonic() < end, f"waited for {what}: {last}"
        time.sleep(0.02)


class Process:
    """A program at a terminal. What it has printed is in `text`."""

    running = []

    def __init__(self, command, environment, folder=None):
        self.name, self.text = command[-1], ""
        self.terminal, end = pty.openpty()
        self.child = subprocess.Popen(command, cwd=folder, env=environment,
                                      stdin=end, stdout=end, stderr=end)
        os.close(end)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.running.append(self)

    def read(self):
        # A terminal whose programs have ended fails.
        try:
            while some := os.read(self.terminal, 4096):
                self.text += some.decode(errors="replace")
        except OSError:
            pass

    def wait_for(self, pattern):
        def look():
            has_ended = self.child.poll() is not None
            if has_ended:
                # What it has printed last may not have been read yet.
                self.reader.join(PATIENCE)
            if found := re.search(pattern, self.text):
                return found
            assert not has_ended, f"{self.name} has ended:\n{self.text}"

        return wait_for(pattern, look)

    def stop(self):
        self.child.terminate()
        code = self.child.wait(PATIENCE)
        assert code == 0, f"{self.name} ended with {code}:\n{self.text}"
        self.running.remove(self)


class Target(http.server.BaseHTTPRequestHandler):
    content = secrets.token_bytes(1 << 20)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


def serve(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def fetch(url):
    return wait_for(url, lambda: urllib.request.urlopen(url, timeout=PATIENCE).read())


def until_listening(port):
    wait_for(f"port {port}", lambda: socket.create_connection(("127.0.0.1", port))).close()


def own_network():
    """Moves this process, and all that it starts, into a network with nothing but loopback."""
    clone_newnet = 0x40000000
    assert ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) == 0, os.strerror(
        ctypes.get_errno())
    run("ip", "link", "set", "lo", "up")
