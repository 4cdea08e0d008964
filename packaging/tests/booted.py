"""The units under systemd, which is the first process of a system of its own."""

import re
import secrets
import socket
import subprocess
from pathlib import Path

from common import (ENVIRONMENT, PATIENCE, ROOT, SCRATCH, Process, Target, fetch, passes, run,
                    skips, wait_for)

UNITS = ("ockam@server", "ockam@client")


class System:
    """A system that has booted from a root file system."""

    def __init__(self, root):
        groups = SCRATCH / "groups"
        groups.mkdir()
        run("mount", "-t", "cgroup2", "none", str(groups))
        self.group = groups / f"ockam-packages-{secrets.token_hex(4)}"
        self.group.mkdir()
        command = [str(ROOT / "packaging/tests/boot"), str(root), str(self.group)]
        self.log = (SCRATCH / "boot.log").open("w+")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                      stderr=self.log)

    def booted(self):
        """Waits for it. Whether it has booted: where it may not, it ends."""
        def look():
            if self.child.poll() is not None:
                return "ended"
            try:
                return self.run("systemctl", "is-active", "basic.target").strip() == "active"
            except AssertionError:
                return False

        return wait_for("systemd", look) is True

    def run(self, *command):
        """Runs a command in it, which must succeed; what it prints."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return run("nsenter", "--all", f"--target={children.strip()}", *command)

    def fails(self, *command):
        """Runs a command in it that must fail; what it prints."""
        try:
            self.run(*command)
        except AssertionError as error:
            return str(error)
        raise AssertionError(f"{command} has not failed")

    def journal(self, *options):
        units = [f"--unit={unit}" for unit in UNITS]
        return self.run("journalctl", "--quiet", "--output=cat", *units, *options)

    def end(self):
        self.child.kill()
        self.child.wait(PATIENCE)

        def remove():
            for group in sorted(self.group.glob("**/"), reverse=True):
                group.rmdir()
            return True

        # A group is in use until its last process has ended, after the first one of the system.
        wait_for("the end of all processes", remove)


def units_run_under_systemd(root, outlet, inlet):
    what = "the units under systemd"
    if not (root / "lib/systemd/systemd").exists():
        return skips(what, "no systemd")
    try:
        system = System(root)
    except (AssertionError, OSError) as error:
        return skips(what, f"no control groups here: {error}")
    try:
        if not system.booted():
            system.log.seek(0)
            return skips(what, f"it does not boot here: {system.log.read().strip()}")
        carry_a_tunnel(system, root / "etc/ockam", outlet, inlet)
        if (root / "usr/sbin/nats-server").exists():
            hubs_of_the_guide_restart(system, root)
        else:
            skips("the units of docs/cluster.md", "no nats-server")
    except BaseException:
        print(system.run("journalctl", "--no-pager", "--lines=200"))
        raise
    finally:
        system.end()


def carry_a_tunnel(system, settings, outlet, inlet):
    client = settings / "client.toml"
    (settings / "server.toml").write_text(outlet)
    client.write_text(inlet)
    for unit in UNITS:
        # It returns when the unit is ready.
        system.run("systemctl", "start", unit)
    assert fetch("http://127.0.0.1:4001") == Target.content
    client.write_text(inlet + inlet.replace("4001", "4002"))
    system.run("systemctl", "reload", "ockam@client")
    assert fetch("http://127.0.0.1:4002") == Target.content
    assert "ockam inlet " in system.journal(), system.journal()
    assert (alarms := system.journal("--priority=warning")) == "", alarms
    passes("systemd starts and reloads the units, and nothing in the journal alarms")

    client.write_text("[[inlet]]\nlisen = '127.0.0.1:4001'\n")
    said = system.fails("systemctl", "reload", "ockam@client")
    wait_for("the mistake in the journal",
             lambda: "client.toml:2" in system.journal("--priority=err"))
    assert fetch("http://127.0.0.1:4001") == Target.content, said
    client.write_text(inlet)

    def number():
        shown = system.run("systemctl", "show", "--property=MainPID", "--value", "ockam@client")
        return int(shown)

    before = number()
    # A small Debian has no program `kill`.
    system.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "ockam@client")
    wait_for("another process", lambda: number() not in (0, before))
    assert fetch("http://127.0.0.1:4001") == Target.content
    passes("systemd refuses a file with a mistake, and restarts a unit that was killed")

    system.run("systemctl", "stop", *UNITS)
    for unit in UNITS:
        for key, value in (("Result", "success"), ("ExecMainStatus", "0"), ("ActiveState", "inactive")):
            shown = system.run("systemctl", "show", f"--property={key}", "--value", unit)
            assert shown.strip() == value, f"{unit}: {key} is {shown}"
    assert "streams were still open" not in system.journal()
    passes("systemd stops the units, which end by themselves")


def hubs_of_the_guide_restart(system, root):
    """The units for a cluster on one machine, as docs/cluster.md has them, and what it does then."""
    page = (ROOT / "docs/cluster.md").read_text()
    units = re.findall(r"`(/etc/systemd/system/\S+)`[^`]*```ini\n(.*?)```", page, re.S)
    assert len(units) == 2, units
    for file, text in units:
        (root / file.lstrip("/")).write_text(text)
    [commands] = re.findall(r"```sh\n(systemctl daemon-reload\n.*?)```", page, re.S)
    *prepare, outlet, restart = [line.split("#")[0].rstrip(" &") for line in commands.splitlines()]
    for file, _ in units:
        said = system.run("systemd-analyze", "verify", file.replace("@.", "@4001."))
        assert said == "", said
    for line in prepare:
        system.run(*line.split())

    ockam = ["chroot", str(root), "/usr/bin/env", "-i", "ockam"]
    outlet = Process([*ockam, *outlet.split()[1:]], ENVIRONMENT)
    found = outlet.wait_for(r"--route '(\S+) => (F\S+)'")
    hubs, address = found.groups()
    assert "4001" in hubs and "4002" in hubs, hubs
    listen = "127.0.0.1:4003"
    inlet = Process([*ockam, "inlet", "--listen", listen, "--route", f"{hubs} => {address}"],
                    ENVIRONMENT)
    inlet.wait_for("inlet on ")
    client = wait_for("the inlet", lambda: socket.create_connection(("127.0.0.1", 4003), PATIENCE))
    client.sendall(b"GET / HTTP/1.0\r\n")
    # First the hub that the page names, and then the other one; both have the outlet.
    ports = ("4001", "4002")

    def registered(port):
        journal = system.run("journalctl", "--quiet", "--output=cat", f"--unit=cluster-hub@{port}")
        return len(re.findall(r"^registered F", journal, re.M))

    for port in ports:
        wait_for(f"the outlet at {port}", lambda: registered(port))
    for port in ports:
        before = registered(port)
        system.run(*restart.replace("4001", port).split())
        wait_for(f"the outlet's return to {port}", lambda: registered(port) > before)
    client.sendall(b"\r\n")
    answer = b""
    while some := client.recv(1 << 16):
        answer += some
    assert answer.endswith(Target.content), f"{len(answer)} bytes:\n{inlet.text}\n{outlet.text}"
    for process in (inlet, outlet):
        process.stop()
    hubs = ("cluster-hub@4001", "cluster-hub@4002", "cluster-nats")
    system.run("systemctl", "stop", *hubs)
    for unit in hubs:
        shown = system.run("systemctl", "show", "--property=Result", "--value", unit)
        assert shown.strip() == "success", f"{unit}: {shown}"
    passes("the units of docs/cluster.md start, and restarting hubs cuts no stream")
