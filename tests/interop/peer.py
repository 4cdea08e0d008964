#!/usr/bin/env python3
"""A peer that shares no code with the library: what docs/protocol.md says, in Python.

    pip install noiseprotocol cryptography msgpack
    peer.py initiator HOST:PORT IDENTIFIER   opens a channel, asks the echoer, watches "once",
                                             crosses a change of keys, opens a stream to "outlet",
                                             and one that outlives two connections, and sends
                                             datagrams to "udp", in both kinds of records
    peer.py responder                        listens, prints its port and its identifier, answers
                                             one connection until that ends
    peer.py private HOST:PORT                has a hub forward to it, prints the forwarding
                                             address, then acts as the responder

Section numbers are those of the document. The peer reports on stdout what it has done. It ends with
code 1 and a line on stderr when the other side does not keep to the document. Whatever it waits for
must come within 30 seconds.
"""

import hashlib
import hmac
import os
import socket
import sys

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from noise.connection import Keypair, NoiseConnection

DEADLINE = 30
LISTENER = "secure_channel_listener_service"
LARGEST_FRAME = 262_144
CONTROL, LANE_CREDIT, OVERHEAD = 0, 65_536, 512
ARE_YOU_THERE, I_AM, GO_AWAY, DRAIN = b"\0", b"\1", b"\2", b"\3"
READY = b"ockam-actix/1 ready\0"
DATA, NOTICE, REQUEST, REPLY, WATCH = range(5)
BODIES = DATA, REQUEST, REPLY
# A bit of the kind.
EXPENDABLE = 8
MESSAGE, PING, PONG, CLOSE = (bytes([kind]) for kind in range(4))
KEY_CHANGE = 65_536


def check(condition, what):
    if not condition:
        raise SystemExit(f"not as the document says: {what}")


def raw(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def random_address():
    return os.urandom(16).hex()


def unpack(data):
    """One MessagePack value and nothing after it (section 1)."""
    return msgpack.unpackb(data, strict_map_key=True)


# Section 2: greeting, frames and lanes.


class Connection:
    """Sends all its messages on lane 1: it has one peer to talk to."""

    def __init__(self, stream):
        stream.settimeout(DEADLINE)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self.arrived = stream, bytearray()
        # Our credit on lane 1; what the peer has on its lanes; messages that came while we waited.
        self.credit, self.theirs, self.waiting = LANE_CREDIT, {}, []
        self.send_frame(CONTROL, msgpack.packb(["ockam-actix", 1, LARGEST_FRAME]))
        lane, greeting = self.receive_frame()
        name, version, largest = unpack(greeting)
        check((lane, name, version) == (CONTROL, "ockam-actix", 1), "greeting")
        self.largest = min(LARGEST_FRAME, largest)

    def send_frame(self, lane, body):
        self.stream.sendall(len(body).to_bytes(4, "big") + lane.to_bytes(2, "big") + body)

    def receive_frame(self):
        """The next frame's lane and body; None when the peer has ended the connection between
        frames."""
        while len(self.arrived) < 6 or len(self.arrived) - 6 < int.from_bytes(self.arrived[:4], "big"):
            more = self.stream.recv(65_536)
            if not more:
                check(not self.arrived, "a connection that ends within a frame")
                return None
            self.arrived += more
        length = int.from_bytes(self.arrived[:4], "big")
        lane = int.from_bytes(self.arrived[4:6], "big")
        body = bytes(self.arrived[6 : 6 + length])
        del self.arrived[: 6 + length]
        return lane, body

    def receive_message(self):
        """The next message's body; None at the end. Grants on the way are taken, pings are answered,
        and what has come is granted again: all of it moves on at once."""
        while (frame := self.receive_frame()) is not None:
            lane, body = frame
            if lane == CONTROL and len(body) == 1:
                check(body in (ARE_YOU_THERE, I_AM, GO_AWAY, DRAIN), "a known signal")
                if body in (ARE_YOU_THERE, DRAIN):
                    self.send_frame(CONTROL, I_AM)
                if body == GO_AWAY:
                    return None
                continue
            if lane == CONTROL:
                check(body and len(body) % 10 == 0, "a list of grants")
                for at in range(0, len(body), 10):
                    check(body[at : at + 2] == b"\0\1", "credit for a lane that we use")
                    self.credit += int.from_bytes(body[at + 2 : at + 6], "big")
                    self.credit += int.from_bytes(body[at + 6 : at + 10], "big")
                continue
            credit = self.theirs.get(lane, LANE_CREDIT)
            check(credit > 0, "a message within its lane's credit")
            credit -= len(body) + OVERHEAD
            if credit <= LANE_CREDIT * 3 // 4:
                moved_on = (LANE_CREDIT - credit).to_bytes(4, "big")
                self.send_frame(CONTROL, lane.to_bytes(2, "big") + moved_on + bytes(4))
                credit = LANE_CREDIT
            self.theirs[lane] = credit
            return body
        return None

    # Section 3: messages.

    def send(self, onward, back, payload, kind=DATA):
        body = encode_message(onward, back, payload, kind=kind)
        check(len(body) <= self.largest, "a frame of the agreed size")
        while self.credit <= 0:
            came = self.receive_message()
            check(came is not None, "credit before the end of the connection")
            self.waiting.append(came)
        self.credit -= len(body) + OVERHEAD
        self.send_frame(1, body)

    def receive_body(self):
        return self.waiting.pop(0) if self.waiting else self.receive_message()

    def receive(self):
        body = self.receive_body()
        return None if body is None else decode_message(body)


def encode_message(onward, back, payload, hops=32, kind=DATA):
    return msgpack.packb([kind, hops, onward, back, payload])


def decode_message(body, expected=BODIES):
    check(body[0] == 0x95, "a message is an array of five")
    kind, hops, onward, back, payload = unpack(body)
    if is_expendable(body):
        kind -= EXPENDABLE
        check(kind in (DATA, REPLY), "data or a reply, if it may be lost")
    check(0 <= hops <= 32 and isinstance(payload, bytes), "hops and payload")
    check(len(onward) <= 16 and len(back) <= 16, "routes of at most 16 addresses")
    if kind == NOTICE and NOTICE not in expected:
        raise SystemExit(f"a notice (reason, hop, detail): {unpack(payload)}")
    check(kind in expected, f"kind {kind}, not of {expected}")
    return onward, back, payload


def is_expendable(body):
    return bool(body[1] & EXPENDABLE)


# Section 7: identities.


class Identity:
    """An identity of our own, of one key."""

    def __init__(self):
        self.signer = Ed25519PrivateKey.generate()
        self.static = X25519PrivateKey.generate()
        key = raw(self.signer.public_key())
        self.identifier = identifier_of(key)
        self.changes = [[key, self.signer.sign(signed_change(self.identifier, 0, bytes(32), key))]]


def identifier_of(first_key):
    return hashlib.sha256(b"ockam-actix/1 identifier\0" + first_key).digest()


def signed_change(identifier, number, previous, key):
    return b"ockam-actix/1 identity change\0" + identifier + number.to_bytes(4, "big") + previous + key


def verify_identity(changes):
    """The identifier and the newest key; raises if a signature is wrong."""
    check(1 <= len(changes) <= 16, "1 to 16 changes")
    identifier, previous, newest = identifier_of(changes[0][0]), bytes(32), None
    for number, (key, own, *by_previous) in enumerate(changes):
        signed = signed_change(identifier, number, previous, key)
        Ed25519PublicKey.from_public_bytes(key).verify(own, signed)
        if number:
            Ed25519PublicKey.from_public_bytes(newest).verify(*by_previous, signed)
        previous, newest = hashlib.sha256(signed).digest(), key
    return identifier, newest


# Section 8: secure channels.


class Handshake:
    def __init__(self, identity, role, secret=None):
        self.identity, self.role = identity, role
        pattern = "XX" if secret is None else "XXpsk3"
        self.noise = NoiseConnection.from_name(f"Noise_{pattern}_25519_AESGCM_SHA256".encode())
        if secret is not None:
            self.noise.set_psks(psk=secret)
        self.noise.set_prologue(b"ockam-actix/1 secure channel\0")
        static = identity.static.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        self.noise.set_keypair_from_private_bytes(Keypair.STATIC, static)
        self.noise.set_as_initiator() if role == "initiator" else self.noise.set_as_responder()
        self.noise.start_handshake()

    @property
    def state(self):
        return self.noise.noise_protocol.handshake_state

    def write(self):
        signed = self.label(self.role) + self.state.symmetric_state.h + raw(self.identity.static.public_key())
        return bytes(self.noise.write_message(msgpack.packb([self.identity.changes, self.identity.signer.sign(signed)])))

    def read(self, message):
        """The peer's identifier, when its payload proves it."""
        state, hash_before = self.state, self.state.symmetric_state.h
        changes, signature = unpack(bytes(self.noise.read_message(message)))
        identifier, key = verify_identity(changes)
        peer = "responder" if self.role == "initiator" else "initiator"
        Ed25519PublicKey.from_public_bytes(key).verify(signature, self.label(peer) + hash_before + state.rs.public_bytes)
        return identifier

    @staticmethod
    def label(role):
        return f"ockam-actix/1 channel {role}\0".encode()


class Channel:
    """An established channel over a connection: `route` leads to the peer's end, `own` is ours."""

    def __init__(self, connection, noise, route, own, kind):
        self.connection, self.noise, self.route, self.own, self.kind = connection, noise, route, own, kind
        self.sent = self.received = 0
        # For expendable records: the numbers that were used and seen, and a key for each direction.
        self.expendable_sent, self.seen = 0, set()
        ciphers = noise.noise_protocol.cipher_state_encrypt, noise.noise_protocol.cipher_state_decrypt
        label = b"ockam-actix/1 expendable\0"
        self.keys = [AESGCM(hmac.digest(bytes(cipher.k), label, "sha256")) for cipher in ciphers]

    def send_plaintext(self, plaintext):
        record = self.sent.to_bytes(8, "big") + self.noise.encrypt(plaintext)
        self.sent += 1
        if self.sent % KEY_CHANGE == 0:
            self.noise.rekey_outbound_cipher()
        self.connection.send(self.route, [self.own], record, self.kind)

    def open(self, record):
        check(int.from_bytes(record[:8], "big") == self.received, f"counter {self.received}")
        plaintext = bytes(self.noise.decrypt(record[8:]))
        self.received += 1
        if self.received % KEY_CHANGE == 0:
            self.noise.rekey_inbound_cipher()
        return plaintext

    def send(self, onward, back, payload, kind=DATA):
        self.send_plaintext(MESSAGE + encode_message(onward, back, payload, hops=31, kind=kind))

    def seal_expendable(self, onward, back, payload, kind=DATA):
        plaintext = encode_message(onward, back, payload, hops=31, kind=kind | EXPENDABLE)
        # There was one handshake: the generation is 0.
        number = bytes(4) + self.expendable_sent.to_bytes(4, "big")
        self.expendable_sent += 1
        return number + self.keys[0].encrypt(bytes(4) + number, plaintext, b"")

    def send_expendable(self, record):
        self.connection.send(self.route, [], record, self.kind | EXPENDABLE)

    def open_expendable(self, record):
        number = record[:8]
        check(number[:4] == bytes(4) and number not in self.seen, "a number that is used once")
        self.seen.add(number)
        plaintext = self.keys[1].decrypt(bytes(4) + number, record[8:], b"")
        check(is_expendable(plaintext), "a message that may be lost, in a record that may")
        return plaintext

    def receive_plaintext(self):
        """The next plaintext that is no ping; None when the connection or the channel has ended."""
        while (body := self.connection.receive_body()) is not None:
            onward, back, record = decode_message(body)
            check(onward == [self.own], "records come to the address that we chose")
            if is_expendable(body):
                check(back == [], "no return route, as there is no notice")
                return MESSAGE + self.open_expendable(record)
            plaintext = self.open(record)
            if plaintext == PING:
                self.send_plaintext(PONG)
            elif plaintext == CLOSE:
                return None
            else:
                return plaintext
        return None

    def receive(self, expected=BODIES):
        while (plaintext := self.receive_plaintext()) is not None:
            if plaintext != PONG:
                check(plaintext[:1] == MESSAGE, f"kind {plaintext[0]}")
                return decode_message(plaintext[1:], expected)
        return None


def open_channel(connection, identity, expected):
    handshake, own = Handshake(identity, "initiator"), random_address()
    message1 = bytes(handshake.noise.write_message())
    check(len(message1) == 32, "message 1 of 32 bytes")
    cookie = b""
    for _ in range(3):
        connection.send([LISTENER], [own], msgpack.packb([1, 1, message1, cookie]))
        onward, route, payload = connection.receive()
        kind, body = unpack(payload)
        if kind == 2:
            break
        check(kind == 4, "message 2 or a cookie")
        cookie = body
    check(kind == 2 and onward == [own], "message 2")
    peer = handshake.read(body)
    check(peer.hex() == expected.removeprefix("I"), "the identity that was expected")
    connection.send(route, [own], msgpack.packb([3, handshake.write()]))
    channel = Channel(connection, handshake.noise, route, own, DATA)
    _, _, record = connection.receive()
    check(channel.open(record) == READY, "ready")
    return channel


# Section 9: portals.


def messages(payload):
    """The messages of a payload, one after the other."""
    unpacker = msgpack.Unpacker(strict_map_key=True)
    unpacker.feed(payload)
    return list(unpacker)


def name_another(channel):
    """Names a server that is not the target of "outlet", which refuses it."""
    own = random_address()
    channel.send(["outlet"], [own], msgpack.packb([0, 1, 65_536, b"", b"", "other.example:80"]))
    onward, _, payload = channel.receive()
    kind, code, _ = unpack(payload)
    check(onward == [own] and kind == 2 and code == 5, "refused, as it is not permitted")


def tunnel(channel, request):
    """Sends a request through a stream to "outlet", half-closes it, and returns the whole answer."""
    own, limit, step = random_address(), 65_536, 65_536
    # A client at 192.0.2.1:50000 that connected to 127.0.0.1:1080.
    client = bytes([192, 0, 2, 1, 0xC3, 0x50, 127, 0, 0, 1, 0x04, 0x38])
    channel.send(["outlet"], [own], msgpack.packb([0, 1, limit, b"", client]))
    onward, route, payload = channel.receive()
    kind, may_send, life = unpack(payload)
    check(onward == [own] and kind == 1 and life == 0, "opened")
    answer, sent, ended = bytearray(), 0, False
    while True:
        while sent < len(request) and sent < may_send:
            piece = request[sent : min(sent + 30_000, may_send)]
            channel.send(route, [own], msgpack.packb([3, sent, piece]))
            sent += len(piece)
        if sent == len(request) and not ended:
            channel.send(route, [own], msgpack.packb([5, sent]))
            ended = True
        onward, _, payload = channel.receive()
        check(onward == [own], "the stream's address")
        kind, number, *more = unpack(payload)
        if kind == 3:
            check(number == len(answer), "data at the next offset")
            answer += more[0]
            check(len(answer) <= limit, "data below the limit")
            if len(answer) + step // 2 > limit:
                limit = len(answer) + step
                channel.send(route, [own], msgpack.packb([4, limit]))
        elif kind == 4:
            may_send = max(may_send, number)
        elif kind == 5:
            check(number == len(answer), "the final offset")
            return bytes(answer)
        else:
            raise SystemExit(f"the stream ended with {unpack(payload)}")


class LastingStream:
    """The inlet's end of a stream to "outlet" that outlives its path: `request` and its end go there,
    and the whole answer comes back."""

    STEP = 65_536

    def __init__(self, request):
        self.request, self.secret, self.attempt = request, os.urandom(16), 0
        self.answer, self.limit, self.has_end = bytearray(), self.STEP, False
        self.sent, self.may_send, self.acknowledged, self.end_sent = 0, 0, 0, False

    def say(self, *message):
        self.channel.send(self.route, [self.own], msgpack.packb(message))

    def hear(self):
        received = self.channel.receive()
        check(received is not None, "the channel lasts")
        onward, route, payload = received
        check(onward == [self.own], "the stream's address")
        return route, messages(payload)

    def received(self):
        return len(self.answer) + self.has_end

    def take(self, channel):
        self.channel, self.own, self.route = channel, random_address(), ["outlet"]

    def begin(self, channel):
        self.take(channel)
        self.say(0, 1, self.limit, self.secret)
        self.route, [(kind, self.may_send, life), *rest] = self.hear()
        check(kind == 1 and life != 0 and not rest, "opened, and kept")

    def resume(self, channel):
        self.take(channel)
        self.attempt += 1
        self.say(8, 1, self.secret, self.attempt, self.received(), self.limit)
        self.route, [(kind, received, self.may_send), *rest] = self.hear()
        check(kind == 9, "resumed")
        check(self.acknowledged <= received <= self.sent + self.end_sent, "what was sent")
        self.acknowledged = received
        self.sent, self.end_sent = min(received, len(self.request)), received > len(self.request)
        for message in rest:
            self.handle(message)

    def handle(self, message):
        kind, number, *more = message
        if kind == 3:
            check(number == len(self.answer) and not self.has_end, "data at the next offset")
            self.answer += more[0]
            check(len(self.answer) <= self.limit, "data below the limit")
        elif kind == 4 or kind == 1 and self.received() == 0:
            # Opened comes again to who has received nothing.
            self.may_send = max(self.may_send, number)
        elif kind == 5:
            check(number == len(self.answer), "the final offset")
            self.has_end = True
        elif kind == 7:
            check(number <= self.sent + self.end_sent, "an acknowledgement of what was sent")
            self.acknowledged = max(self.acknowledged, number)
        else:
            raise SystemExit(f"the stream ended with {message}")

    def run(self, until):
        """Goes on until so many bytes of both directions together have passed, or all have."""
        while True:
            while self.sent < min(len(self.request), self.may_send):
                piece = self.request[self.sent : min(self.sent + 30_000, self.may_send)]
                self.say(3, self.sent, piece)
                self.sent += len(piece)
            if self.sent == len(self.request) and not self.end_sent:
                self.say(5, self.sent)
                self.end_sent = True
            if self.has_end and self.acknowledged == len(self.request) + 1:
                return self.say(7, self.received())
            if self.acknowledged + len(self.answer) >= until:
                return
            for message in self.hear()[1]:
                self.handle(message)
            if len(self.answer) + self.STEP // 2 > self.limit:
                self.limit = len(self.answer) + self.STEP
                self.say(7, self.received())
                self.say(4, self.limit)


def outlive_connections(peer, identity, expected):
    """Cuts the connection below a stream twice: while it sends, and while it receives."""
    request = os.urandom(300_000)
    stream = LastingStream(request)
    for number, until in enumerate([100_000, 400_000, 2 * len(request) + 2]):
        connection = Connection(socket.create_connection(split(peer), DEADLINE))
        channel = open_channel(connection, identity, expected)
        stream.begin(channel) if number == 0 else stream.resume(channel)
        stream.run(until)
        connection.stream.close()
    check(bytes(stream.answer) == request[::-1], "the target's answer: the request backwards")
    print(f"resumed a stream {stream.attempt} times", flush=True)


def exchange_datagrams(channel):
    """Sends datagrams of two flows to "udp", and expects each back where it came from."""
    flows = [random_address(), random_address()]
    for length in (0, 2, 255, 256, 60_000):
        for flow in flows:
            datagram = os.urandom(length)
            payload = msgpack.packb([11, 1, datagram])
            if length == 0:
                channel.send(["udp"], [flow], payload)
            else:
                record = channel.seal_expendable(["udp"], [flow], payload)
                channel.send_expendable(record)
                # What comes again, or was altered, is dropped and ends nothing.
                channel.send_expendable(record)
                channel.send_expendable(record[:-1] + bytes([record[-1] ^ 1]))
            onward, back, payload = channel.receive([REPLY])
            check(onward == [flow] and back == [], "an answer for the flow")
            check(unpack(payload) == [11, 1, datagram], "the datagram")
    channel.send(["udp"], flows[:1], msgpack.packb([11, 2]))
    onward, back, payload = channel.receive([NOTICE])
    check(onward == flows[:1] and unpack(payload)[0] == 4, "a notice about the version")
    print("exchanged datagrams", flush=True)


def initiate(peer, expected):
    identity = Identity()
    connection = Connection(socket.create_connection(split(peer), DEADLINE))
    channel = open_channel(connection, identity, expected)
    print("channel established", flush=True)
    back = echo(channel, "hello from another implementation")
    watch(channel)
    exchange_datagrams(channel)
    # Past the change of keys in both directions: each ping is a record, and so is each pong.
    missing = KEY_CHANGE + 10 - channel.sent
    while missing > 0:
        some = min(missing, 256)
        for _ in range(some):
            channel.send_plaintext(PING)
        for _ in range(some):
            check(channel.receive_plaintext() == PONG, "a pong for a ping")
        missing -= some
    echo(channel, "hello under the next keys", back)
    request = os.urandom(300_000)
    name_another(channel)
    answer = tunnel(channel, request)
    check(answer == request[::-1], "the target's answer: the request backwards")
    print(f"tunnelled {len(request)} bytes each way", flush=True)
    outlive_connections(peer, identity, expected)
    channel.send_plaintext(CLOSE)


def watch(channel):
    """Watches a worker that ends at its first message, and one that is not there (section 5)."""

    def told():
        onward, back, payload = channel.receive([NOTICE])
        check(onward == ["watcher"] and back == [], "a notice to the watcher")
        return unpack(payload)

    channel.send(["once"], ["watcher"], msgpack.packb(20), WATCH)
    check(told() == [8, "once", ""], "the watch is held")
    channel.send(["once"], ["watcher"], msgpack.packb(20), WATCH)
    check(told() == [8, "once", ""], "the watch is held again")
    channel.send(["once"], ["me"], msgpack.packb("end"))
    check(told() == [9, "once", ""], "the worker has stopped")
    channel.send(["nobody"], ["watcher"], msgpack.packb(20), WATCH)
    check(told() == [0, "nobody", ""], "nobody is there")
    print("watched a worker until it stopped", flush=True)


def echo(channel, text, onward=("echoer",)):
    """Has the echoer answer; returns the route along which it can be asked again."""
    channel.send(list(onward), ["me"], msgpack.packb(text), REQUEST)
    onward, back, payload = channel.receive()
    check(onward == ["me"] and len(back) == 1, f"the echo's routes, not {onward} and {back}")
    check(unpack(payload) == text, "the echo")
    print(f"echo: {text} (record {channel.sent - 1})", flush=True)
    return back


# The other end of a channel, and its echoer.


def accept_channel(connection, identity, secret=None):
    cookie, own = os.urandom(32), random_address()
    while True:
        onward, route, payload = connection.receive()
        check(onward == [LISTENER], f"message 1 at the listener, not at {onward}")
        kind, version, message1, came, *tag = unpack(payload)
        check((kind, version) == (1 if secret is None else 5, 1), "message 1")
        if secret is not None:
            signed = b"ockam-actix/1 message 1\0" + message1
            check(tag == [hmac.digest(secret, signed, "sha256")[:16]], "a tag made with the secret")
        if came == cookie:
            break
        # As under load: a peer that cannot read what we send to it costs us nothing.
        connection.send(route, [own], msgpack.packb([4, cookie]), REPLY)
    handshake = Handshake(identity, "responder", secret)
    check(bytes(handshake.noise.read_message(message1)) == b"", "an empty payload")
    connection.send(route, [own], msgpack.packb([2, handshake.write()]), REPLY)
    onward, _, payload = connection.receive()
    kind, message3 = unpack(payload)
    check(onward == [own] and kind == 3, "message 3")
    peer = handshake.read(message3)
    channel = Channel(connection, handshake.noise, route, own, REPLY)
    connection.send(route, [own], channel_record(channel, READY), REPLY)
    print(f"channel with I{peer.hex()}", flush=True)
    return channel


def channel_record(channel, plaintext):
    record = channel.sent.to_bytes(8, "big") + channel.noise.encrypt(plaintext)
    channel.sent += 1
    return record


def serve(connection, identity, secret=None):
    channel = accept_channel(connection, identity, secret)
    while (message := channel.receive()) is not None:
        onward, back, payload = message
        check(onward == ["echoer"], f"a message for the echoer, not for {onward}")
        channel.send(back, ["echoer"], payload, REPLY)
        print(f"echoed {unpack(payload)!r}", flush=True)


def respond():
    identity = Identity()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        print(f"listening {listener.getsockname()[1]} I{identity.identifier.hex()}", flush=True)
        stream, _ = listener.accept()
    serve(Connection(stream), identity)


# Section 10: forwarders.


def forwarded(hub):
    connection, identity = Connection(socket.create_connection(split(hub), DEADLINE)), Identity()
    own, salt, destination, service = random_address(), os.urandom(16), [LISTENER], "python"
    claimed = b"ockam-actix/1 forwarder address\0" + identity.identifier + salt + service.encode()
    bits = hashlib.sha256(claimed).digest()[:16]
    instances = [os.urandom(16), os.urandom(16)]

    def register(instance, tenure, expected_holder):
        claim = [identity.identifier, salt, service, instance, tenure]
        connection.send(["forwarding_service"], [own], msgpack.packb([0, destination, claim]))
        kind, nonce, holder = unpack(connection.receive()[2])
        check(kind == 1 and holder == expected_holder, "a challenge that names the holder")
        signed = b"ockam-actix/1 forwarder claim\0" + nonce + bits + holder + tenure
        signature = identity.signer.sign(signed + " => ".join(destination).encode())
        history = msgpack.packb(identity.changes)
        proof = [2, destination, claim, nonce, holder, signature, history]
        connection.send(["forwarding_service"], [own], msgpack.packb(proof))
        return unpack(connection.receive()[2]), signature

    def registered(answer):
        kind, given, lease, tenure = answer
        check(kind == 3 and given == bits and lease > 0, "registered at the address that is ours")
        return tenure

    nobody = bytes(16)
    first = registered(register(instances[0], bytes(8), nobody)[0])
    # A second instance displaces the first, which is told with the second's signature.
    told, signature = register(instances[1], bytes(8), instances[0])
    check(told[:3] == [7, bits, instances[0]] and told[6] == signature, "the first is told")
    second = registered(unpack(connection.receive()[2]))
    check(second > first, "a higher tenure")
    # The first does not get it back, and the second keeps it.
    check(register(instances[0], first, instances[1])[0][0] == 7, "the first is told again")
    check(registered(register(instances[1], second, nobody)[0]) == second, "the second returns")
    # Section 11.
    secret = os.urandom(32)
    print(f"forwarded F{bits.hex()}.I{identity.identifier.hex()}.S{secret.hex()}", flush=True)
    serve(connection, identity, secret)


def split(peer):
    host, port = peer.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["initiator", peer, expected]:
            initiate(peer, expected)
        case ["responder"]:
            respond()
        case ["private", hub]:
            forwarded(hub)
        case _:
            raise SystemExit(__doc__)
