"""The image: its size, its digest, and the guide's programs from its root file system."""

import json
import os
import re
import shlex
import shutil
import sys
import tarfile

from common import (ENVIRONMENT, ROOT, SCRATCH, Process, fetch, passes, run, skips,
                    until_listening)

BIGGEST_IMAGE = 15_000_000


def packed(arguments):
    """Packs the image; its digest and its size."""
    said = run(str(ROOT / "packaging/image"), *arguments)
    digest, size = re.search(r"(sha256:\w+), ([\d,]+) bytes", said).groups()
    return digest, int(size.replace(",", ""))


def is_small_and_repeatable(arguments):
    digest, size = packed(arguments)
    assert packed(arguments)[0] == digest
    passes(f"the image packed twice is {digest}")
    if arguments:
        skips("the size of the image, and building it twice", "of packages to be tried")
        return
    assert size < BIGGEST_IMAGE, f"the image has {size} bytes compressed"
    passes(f"the image has {size:,} bytes compressed")
    elsewhere = ROOT / "target/tmp/elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    run("git", "clone", "--quiet", str(ROOT), str(elsewhere))
    environment = os.environ | {"CARGO_TARGET_DIR": str(elsewhere / "target")}
    said = run(str(elsewhere / "packaging/image"), env=environment)
    assert digest in said, f"not {digest}, but elsewhere: {said}"
    passes("built in another folder it has the same digest")


def unpacked(folder):
    """Its root file system, as a container has it, and its settings."""
    blobs, root = SCRATCH / "layout", SCRATCH / "image"
    [file] = folder.glob("*.oci.tar")
    with tarfile.open(file) as layout:
        layout.extractall(blobs)

    def blob(reference):
        return blobs / "blobs" / reference["digest"].replace(":", "/")

    index = json.loads((blobs / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]).read_text())
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer)) as files:
            files.extractall(root, numeric_owner=True)
    for folder in ("dev", "proc"):
        (root / folder).mkdir()
        run("mount", "--rbind", f"/{folder}", str(root / folder))
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    run("mount", "--bind", str(root), str(root))
    run("mount", "-o", "remount,bind,ro", str(root))
    return root, json.loads(blob(manifest["config"]).read_text())["config"]


def runs_the_guide(folder):
    root, settings = unpacked(folder)
    environment = dict(pair.split("=", 1) for pair in settings["Env"])
    assert settings["User"] == "65532:65532"

    def inside(*command):
        chroot = ["/usr/sbin/chroot", f"--userspec={settings['User']}", str(root)]
        return Process([*chroot, *command], environment | {"TERM": "xterm"})

    def docker(line):
        """Starts what `docker run` would, of other images the same program of this system."""
        words = shlex.split(line)[2:]
        while words[0].startswith("-"):
            words.pop(0)
        name, *command = words
        if name == "ockam-actix":
            return inside(*command)
        programs = {"python:3-alpine": [sys.executable, *command[1:]],
                    "curlimages/curl": ["curl", *command]}
        return Process(programs[name], ENVIRONMENT, SCRATCH / "layout")

    lines = re.findall(r"^docker run .*-it.*$", (ROOT / "docs/packages.md").read_text(), re.M)
    hub, server, outlet, inlet, curl = lines
    hub = docker(hub)
    hub.wait_for("127.0.0.1:4000")
    server = docker(server)
    until_listening(5000)
    outlet = docker(outlet)
    address = outlet.wait_for(r"(F\w+\.I\w+\.S\w+)\s").group(1)
    inlet = docker(inlet.replace("FORWARDING_ADDRESS_PRINTED_BY_OUTLET_PROGRAM", address))
    until_listening(4001)
    docker(curl).wait_for("Directory listing")
    for process in (inlet, outlet, hub):
        process.stop()
    passes("the image runs the guide's lines, and stops when it is told to")

    one = inside("01-inlet-outlet", "127.0.0.1:4001", "127.0.0.1:5000")
    assert b"Directory listing" in fetch("http://127.0.0.1:4001")
    one.stop()
    for step in ("02", "03"):
        outlet = inside(f"{step}-outlet", "127.0.0.1:5000")
        until_listening(4000)
        inlet = inside(f"{step}-inlet", "127.0.0.1:4001")
        assert b"Directory listing" in fetch("http://127.0.0.1:4001")
        inlet.stop()
        outlet.stop()
    passes("the image has the programs of the other steps")
    server.child.kill()
    server.child.wait()
    Process.running.remove(server)
