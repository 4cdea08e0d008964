"""A WebSocket server that echoes, and a client that checks it: RFC 6455 with the standard library.

websocket.py server          prints its port
websocket.py client PORT     prints "echoed" and how many bytes
"""

import base64
import hashlib
import os
import socket
import struct
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
SIZES = [0, 1, 125, 126, 65_535, 65_536, 3_000_000]


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def send(to, opcode, payload, mask=b""):
    size = len(payload)
    if size < 126:
        short, rest = size, b""
    elif size < 65_536:
        short, rest = 126, struct.pack("!H", size)
    else:
        short, rest = 127, struct.pack("!Q", size)
    head = bytes([0x80 | opcode, (0x80 if mask else 0) | short]) + rest
    if mask:
        repeated = (mask * (size // 4 + 1))[:size]
        number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        payload = number.to_bytes(size, "big")
    to.sendall(head + mask + payload)


def receive(stream):
    first, second = stream.read(2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
    mask = stream.read(4) if second & 0x80 else b""
    payload = stream.read(size)
    if mask:
        repeated = (mask * (size // 4 + 1))[:size]
        number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        payload = number.to_bytes(size, "big")
    return first & 0x0F, payload


def headers(stream):
    lines = iter(lambda: stream.readline().strip(), b"")
    return {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}


def serve(client):
    stream = client.makefile("rb")
    key = headers(stream)[b"sec-websocket-key"]
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n"
    )
    while True:
        opcode, payload = receive(stream)
        send(client, PONG if opcode == PING else opcode, payload)
        if opcode == CLOSE:
            return client.shutdown(socket.SHUT_RDWR)


def server():
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def client(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as to:
        stream, key, mask = to.makefile("rb"), base64.b64encode(os.urandom(16)), os.urandom(4)
        to.sendall(
            b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        assert headers(stream)[b"sec-websocket-accept"] == accept_of(key)
        for size in SIZES:
            sent = os.urandom(size)
            send(to, BINARY, sent, mask)
            assert receive(stream) == (BINARY, sent), size
        send(to, PING, b"there?", mask)
        assert receive(stream) == (PONG, b"there?")
        send(to, CLOSE, b"\x03\xe8", mask)
        assert receive(stream) == (CLOSE, b"\x03\xe8")
        assert stream.read() == b"", "the server ends first"
    print("echoed", sum(SIZES))


if sys.argv[1] == "server":
    server()
else:
    client(int(sys.argv[2]))
