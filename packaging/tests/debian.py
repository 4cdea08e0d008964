"""The package for Debian: installed, its services started as their unit says, and removed."""

import os
import re
import shlex
import shutil
import signal
import socket
from pathlib import Path

from common import (ENVIRONMENT, PATIENCE, ROOT, SCRATCH, Process, Target, fetch, passes,
                    run, skips)

DEBIAN = ROOT / "target/tmp/debian"


def system(is_quick):
    """The root file system of a Debian, to which nothing is written that lasts."""
    below = Path("/")
    if not is_quick:
        if not (DEBIAN / "usr/bin/apt-get").exists():
            shutil.rmtree(DEBIAN, ignore_errors=True)
            run("debootstrap", "--variant=minbase", "bookworm", str(DEBIAN))
        below = DEBIAN
    root, above, work = (SCRATCH / name for name in ("debian", "above", "work"))
    for folder in (root, above, work):
        folder.mkdir()
    options = f"lowerdir={below},upperdir={above},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    for folder in ("dev", "proc"):
        run("mount", "--rbind", f"/{folder}", str(root / folder))
    # Nothing here is to reach the manager of services outside.
    run("mount", "-t", "tmpfs", "none", str(root / "run"))
    return root


def install(folder, root, is_quick):
    [package] = folder.glob("*.deb")
    shutil.copy(package, root / "ockam.deb")
    environment = ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}
    if is_quick:
        run("chroot", str(root), "dpkg", "--install", "/ockam.deb", env=environment)
        return
    for file in ("etc/resolv.conf", "etc/hosts"):
        shutil.copy(f"/{file}", root / file)
    run("cp", "-a", "/etc/apt", str(root / "etc"))
    environment |= {name: value for name, value in os.environ.items() if "proxy" in name.lower()}
    install = ["install", "--yes", "systemd", "nats-server", "/ockam.deb"]
    for command in (["update"], install):
        run("chroot", str(root), "apt-get", "--quiet", *command, env=environment)


class Unit:
    """A service, started the way its unit says: there is no systemd in a chroot."""

    def __init__(self, root, name):
        text = (root / "usr/lib/systemd/system/ockam@.service").read_text().replace("%i", name)
        # A key that stands several times has several values.
        self.settings = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
            self.settings.setdefault(key, []).append(value)
        self.root = root
        assert self.only("Type") == "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.settimeout(PATIENCE)
        self.process = Process(self.command(self.only("ExecStart")), ENVIRONMENT)
        self.wait_for("READY=1")

    def only(self, key):
        [value] = self.settings[key]
        return value

    def command(self, line):
        user, group = self.only("User"), self.only("Group")
        notify = self.socket.getsockname().decode().replace("\0", "@")
        passwd = (self.root / "etc/passwd").read_text()
        home = re.search(rf"^{user}:.*:(.*):.*$", passwd, re.M).group(1)
        variables = [f"NOTIFY_SOCKET={notify}", f"HOME={home}", *self.settings["Environment"]]
        chroot = ["chroot", f"--userspec={user}:{group}", str(self.root), "/usr/bin/env", "-i"]
        return [*chroot, *variables, *shlex.split(line)]

    def wait_for(self, state):
        try:
            while (told := self.socket.recv(4096).decode()) != state:
                pass
        except TimeoutError:
            raise AssertionError(f"no {state}:\n{self.process.text}") from None

    def reload(self):
        for line in self.settings["ExecReload"]:
            run(*self.command(line.replace("$MAINPID", str(self.process.child.pid))))
        self.wait_for("RELOADING=1")
        self.wait_for("READY=1")

    def stop(self):
        self.process.child.send_signal(signal.SIGTERM)
        self.wait_for("STOPPING=1")
        self.process.stop()


OUTLET = """[[outlet]]
to = "127.0.0.1:5000"
listen = "127.0.0.1:4000"
identity = "web"
key_file = "/var/lib/ockam/key"
trust = "laptop=LAPTOP"
"""
INLET = """[[inlet]]
listen = "127.0.0.1:4001"
route = "tcp#127.0.0.1:4000 => secure_channel_listener_service"
identity = "laptop"
key_file = "/var/lib/ockam/key"
trust = "web=WEB"
"""


def identity(root, name):
    made = run("chroot", "--userspec=ockam:ockam", str(root), "ockam", "identity", "create", name,
               "--vault", "/var/lib/ockam/vault", "--key-file", "/var/lib/ockam/key",
               env=ENVIRONMENT)
    return re.search(r"I[0-9a-f]{64}", made).group()


def two_units_carry_a_tunnel(root):
    """Returns what the two files say."""
    outlet = OUTLET.replace("LAPTOP", identity(root, "laptop"))
    inlet = INLET.replace("WEB", identity(root, "web"))
    settings = root / "etc/ockam"
    assert settings.stat().st_mode & 0o7 == 0, "routes may be secret"
    (settings / "server.toml").write_text(outlet)
    (settings / "client.toml").write_text(inlet)
    server, client = Unit(root, "server"), Unit(root, "client")
    assert fetch("http://127.0.0.1:4001") == Target.content
    passes("two units carry a tunnel")

    with (settings / "client.toml").open("a") as file:
        file.write(inlet.replace("4001", "4002"))
    client.reload()
    assert fetch("http://127.0.0.1:4002") == Target.content
    (settings / "client.toml").write_text("[[inlet]]\nlisen = '127.0.0.1:4001'\n")
    try:
        client.reload()
    except AssertionError as refused:
        assert "client.toml:2" in str(refused), refused
    else:
        raise AssertionError("a file with a mistake was not refused")
    assert fetch("http://127.0.0.1:4001") == Target.content
    passes("a unit reloads its file, and refuses one with a mistake")
    client.stop()
    server.stop()
    return outlet, inlet


def unit_is_sound(root):
    if not shutil.which("systemd-analyze"):
        return skips("the unit's settings", "no systemd-analyze")
    copy = SCRATCH / "ockam@name.service"
    text = (root / "usr/lib/systemd/system/ockam@.service").read_text()
    # The paths are those of the chroot.
    copy.write_text(text.replace("=/usr/bin/ockam", "=/bin/true").replace("man:", "https://man/"))
    said = run("systemd-analyze", "verify", str(copy))
    assert said == "", said
    said = run("systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy))
    passes("the unit is valid, and its " + re.search(r"exposure level .*: [\d.]+", said).group())


def installed(folder, is_quick):
    root = system(is_quick)
    install(folder, root, is_quick)
    for file in ("man/man1/ockam-run.1.gz", "bash-completion/completions/ockam",
                 "zsh/vendor-completions/_ockam", "fish/vendor_completions.d/ockam.fish",
                 "doc/ockam/copyright"):
        # Containers' Debian may leave documents out.
        assert is_quick or (root / "usr/share" / file).exists(), file
    passes("the .deb can be installed")
    unit_is_sound(root)
    return root


def can_be_removed(root):
    run("chroot", str(root), "dpkg", "--purge", "ockam", env=ENVIRONMENT)
    assert not (root / "usr/bin/ockam").exists() and (root / "var/lib/ockam/vault").exists()
    passes("the .deb can be removed, and leaves identities")
