#!/usr/bin/env python3
"""Compares three ways in which hubs may find each other's forwarders over NATS.

Usage: nats.py [FORWARDERS]    # 100,000 unless told otherwise; needs nats-server

* question: one subject that all hubs listen on; each is asked, and the one that has it answers.
* interest: a subscription in NATS for each forwarder, to which the question goes.
* key-value: an entry in a JetStream bucket for each forwarder, in memory, with an age.

For each it prints what the server's memory grows by for each forwarder, how long a forwarder takes
to be found, and how long after the server was killed all can be found again. The hubs are threads
of this program that speak the protocol of NATS themselves.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

QUESTIONS = 2_000
BUCKET = "$KV.hubs."


class Client:
    """A connection to NATS. `answers` says what to reply to a question on a subject."""

    def __init__(self, port, answers=None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')
        self.answers, self.next = answers, 0

    def send(self, *commands):
        self.socket.sendall("".join(commands).encode())

    def barrier(self):
        """Waits until the server has handled all that was sent."""
        self.send("PING\r\n")
        while self.read() != "pong":
            pass

    def read(self):
        """Reads one thing that came: "pong", or a message's subject, where to answer, its body."""
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            words = line.decode().split()
            if words[0] == "PONG":
                return "pong"
            if words[0] == "PING":
                self.send("PONG\r\n")
            elif words[0] in ("MSG", "HMSG"):
                counts = 2 if words[0] == "HMSG" else 1
                body = self.file.read(int(words[-1]) + 2)[:-2]
                if counts == 2:
                    body = body[int(words[-2]):]
                fields = words[1:len(words) - counts]
                return fields[0], fields[2] if len(fields) > 2 else None, body
            elif words[0] == "-ERR":
                raise RuntimeError(line)

    def ask(self, subject, body=""):
        """Sends a request and returns the first answer."""
        if self.next == 0:
            self.send("SUB inbox.> 1\r\n")
        self.next += 1
        inbox = f"inbox.{self.next}"
        self.send(f"PUB {subject} {inbox} {len(body)}\r\n{body}\r\n")
        while True:
            came = self.read()
            if came[0] == inbox:
                return came[2]

    def serve(self):
        """Answers questions until the connection ends."""
        try:
            while True:
                came = self.read()
                if came != "pong" and self.answers(came[0], came[2]):
                    self.send(f"PUB {came[1]} 3\r\nhub\r\n")
        except (EOFError, OSError, ValueError):
            pass

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Question:
    """All hubs listen on one subject, and know what they have."""

    server = []

    def prepare(self, client):
        pass

    def announce(self, client, keys):
        client.send("SUB hubs 1\r\n")

    def answers(self, keys):
        own = set(keys)
        return lambda subject, body: body.decode() in own

    def find(self, client, key):
        return client.ask("hubs", key)


class Interest(Question):
    """Each forwarder is a subject of its own."""

    def announce(self, client, keys):
        for at in range(0, len(keys), 1_000):
            client.send(*(f"SUB have.{key} {at + 1 + number}\r\n"
                          for number, key in enumerate(keys[at:at + 1_000])))

    def answers(self, keys):
        return lambda subject, body: True

    def find(self, client, key):
        return client.ask(f"have.{key}")


class KeyValue(Question):
    """Each forwarder is an entry of a bucket, which lives as long as its lease."""

    server = ["-js"]

    def prepare(self, client):
        config = {"name": "KV_hubs", "subjects": [BUCKET + ">"], "storage": "memory",
                  "max_msgs_per_subject": 1, "allow_direct": True, "max_age": 180 * 10**9,
                  "discard": "new", "allow_rollup_hdrs": True, "num_replicas": 1}
        answer = json.loads(client.ask("$JS.API.STREAM.CREATE.KV_hubs", json.dumps(config)))
        assert "error" not in answer, answer

    def announce(self, client, keys):
        for at in range(0, len(keys), 1_000):
            client.send(*(f"PUB {BUCKET}{key} 3\r\nhub\r\n" for key in keys[at:at + 1_000]))

    def find(self, client, key):
        return client.ask(f"$JS.API.DIRECT.GET.KV_hubs.{BUCKET}{key}")


class Server:
    def __init__(self, port, arguments, folder):
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(port), *arguments]
        if arguments:
            command += ["-sd", folder]
        self.child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                return Client(port).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def memory(self):
        """Bytes in use once it has calmed down."""
        time.sleep(3)
        with open(f"/proc/{self.child.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self):
        self.child.kill()
        self.child.wait()


def hubs_of(way, port, parts):
    hubs = []
    for keys in parts:
        hub = Client(port, way.answers(keys))
        way.announce(hub, keys)
        hub.barrier()
        threading.Thread(target=hub.serve, daemon=True).start()
        hubs.append(hub)
    return hubs


def found(way, client, key):
    return way.find(client, key) == b"hub"


def compare(way, keys, port, folder):
    parts = [keys[number::3] for number in range(3)]
    server = Server(port, way.server, folder)
    asking = Client(port)
    way.prepare(asking)
    before, begun = server.memory(), time.monotonic()
    hubs = hubs_of(way, port, parts)
    announced = time.monotonic() - begun
    wait_until(way, asking, keys[-1])
    each = (server.memory() - before) / len(keys)
    times = []
    for key in random.choices(keys, k=QUESTIONS):
        asked = time.monotonic()
        assert found(way, asking, key), key
        times.append((time.monotonic() - asked) * 1e6)
    server.kill()
    server, killed = Server(port, way.server, folder), time.monotonic()
    for hub in hubs:
        hub.close()
    asking = Client(port)
    if way.server:
        way.prepare(asking)
    hubs = hubs_of(way, port, parts)
    wait_until(way, asking, keys[-1])
    again = time.monotonic() - killed
    server.kill()
    times.sort()
    return (each, announced, statistics.median(times), times[len(times) * 99 // 100], again)


def wait_until(way, client, key):
    deadline = time.monotonic() + 120
    while not found(way, client, key):
        assert time.monotonic() < deadline, f"{key} was not found"
        time.sleep(0.01)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    keys = [f"{random.getrandbits(128):032x}" for _ in range(count)]
    print(f"{count} forwarders at three hubs, {QUESTIONS} looked for, one at a time\n")
    print("| way | bytes in NATS for each | announced within, s | found within, µs (median) "
          "| 99 of 100 | all found again after a restart, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, way in (("question", Question()), ("interest", Interest()),
                      ("key-value", KeyValue())):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with tempfile.TemporaryDirectory() as folder:
            each, announced, median, most, again = compare(way, keys, port, folder)
        print(f"| {name} | {each:.0f} | {announced:.2f} | {median:.0f} | {most:.0f} "
              f"| {again:.2f} |", flush=True)


if __name__ == "__main__":
    main()
