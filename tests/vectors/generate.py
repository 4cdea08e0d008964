#!/usr/bin/env python3
"""Makes secure_channel.json: a handshake, records and a new key with fixed secrets, without a line of
the library.

    pip install noiseprotocol cryptography msgpack
    python3 tests/vectors/generate.py > tests/vectors/secure_channel.json

Noise comes from `noiseprotocol`, signatures from `cryptography`, encodings from `msgpack`. What they
are given is written in docs/protocol.md, sections 7 and 8, and nowhere else.
"""

import hashlib
import hmac
import json
import warnings

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from noise.connection import Keypair, NoiseConnection

PATTERN = "Noise_XX_25519_AESGCM_SHA256"
PATTERN_WITH_SECRET = "Noise_XXpsk3_25519_AESGCM_SHA256"
SECRET = bytes([7]) * 32
PROLOGUE = b"ockam-actix/1 secure channel\0"
REKEY_AFTER = 65_536


class Party:
    """One end: an identity of one key, a static key, an ephemeral key."""

    def __init__(self, role, seed, static, ephemeral, secret=None):
        self.role, self.label = role, f"ockam-actix/1 channel {role}\0".encode()
        self.seed, self.static, self.ephemeral = (bytes([byte]) * 32 for byte in (seed, static, ephemeral))
        self.signer = Ed25519PrivateKey.from_private_bytes(self.seed)
        key = raw(self.signer.public_key())
        self.identifier = hashlib.sha256(b"ockam-actix/1 identifier\0" + key).digest()
        signed = b"ockam-actix/1 identity change\0" + self.identifier + bytes(4) + bytes(32) + key
        self.identity = [[key, self.signer.sign(signed)]]
        self.static_public = raw(X25519PrivateKey.from_private_bytes(self.static).public_key())
        pattern = PATTERN if secret is None else PATTERN_WITH_SECRET
        self.noise = NoiseConnection.from_name(pattern.encode())
        if secret is not None:
            self.noise.set_psks(psk=secret)
        self.noise.set_prologue(PROLOGUE)
        self.noise.set_keypair_from_private_bytes(Keypair.STATIC, self.static)
        self.noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, self.ephemeral)
        self.noise.set_as_initiator() if role == "initiator" else self.noise.set_as_responder()
        self.noise.start_handshake()

    def proof(self):
        signed = self.label + self.hash() + self.static_public
        return msgpack.packb([self.identity, self.signer.sign(signed)])

    def hash(self):
        if self.noise.handshake_finished:
            return self.noise.get_handshake_hash()
        return self.noise.noise_protocol.handshake_state.symmetric_state.get_handshake_hash()

    def shown(self):
        named = ("seed", "static", "ephemeral", "identifier", "static_public")
        return {name: getattr(self, name).hex() for name in named} | {
            "identity": msgpack.packb(self.identity).hex()
        }


def raw(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def record(cipher, plaintext):
    """Counter, ciphertext and tag, as section 8 has them; a new key after every 65,536."""
    counter = cipher.n
    sealed = cipher.encrypt_with_ad(b"", plaintext)
    if cipher.n % REKEY_AFTER == 0:
        cipher.rekey()
    return {"counter": counter, "plaintext": plaintext.hex(), "record": counter.to_bytes(8, "big").hex() + sealed.hex()}


def expendable(direction, plaintexts):
    """Records that may be lost, under the key that follows from the first one of a direction."""
    key = hmac.digest(direction, b"ockam-actix/1 expendable\0", "sha256")
    records = []
    for counter, plaintext in enumerate(plaintexts):
        number = bytes(4) + counter.to_bytes(4, "big")
        sealed = AESGCM(key).encrypt(bytes(4) + number, plaintext, b"")
        records.append({"plaintext": plaintext.hex(), "record": (number + sealed).hex()})
    return {"key": key.hex(), "records": records}


def handshake(initiator, responder):
    """The messages of a whole handshake, and the keys of both directions."""
    messages = []
    for number, (sender, reader) in enumerate([(initiator, responder), (responder, initiator), (initiator, responder)], 1):
        payload = sender.proof() if number > 1 else b""
        message = bytes(sender.noise.write_message(payload))
        assert bytes(reader.noise.read_message(message)) == payload
        assert sender.hash() == reader.hash()
        messages.append({"payload": payload.hex(), "message": message.hex(), "hash": sender.hash().hex()})
    protocol = initiator.noise.noise_protocol
    return messages, protocol.cipher_state_encrypt, protocol.cipher_state_decrypt


def through_a_forwarder():
    """The same ends with the secret of a forwarding address."""
    ends = Party("initiator", 1, 2, 5, SECRET), Party("responder", 3, 4, 6, SECRET)
    messages, up, down = handshake(*ends)
    message1 = bytes.fromhex(messages[0]["message"])
    tag = hmac.digest(SECRET, b"ockam-actix/1 message 1\0" + message1, "sha256")[:16]
    return {
        "pattern": PATTERN_WITH_SECRET,
        "secret": SECRET.hex(),
        "messages": messages,
        "carrier": msgpack.packb([5, 1, message1, b"", tag]).hex(),
        "keys": [bytes(up.k).hex(), bytes(down.k).hex()],
    }


def main():
    # It warns that the ephemeral keys are fixed, which is the point.
    warnings.simplefilter("ignore")
    initiator, responder = Party("initiator", 1, 2, 5), Party("responder", 3, 4, 6)
    messages, up, down = handshake(initiator, responder)
    keys = [bytes(up.k).hex(), bytes(down.k).hex()]
    lost = bytes([0x95, 8]) + msgpack.packb([0, 32, ["echoer"], ["a"], msgpack.packb("hello")])[2:]
    may_be_lost = [expendable(bytes.fromhex(key), [lost, bytes(519)]) for key in keys]

    refused = record(down, b"ockam-actix/1 refused\0")["record"]
    down.set_nonce(0)
    hello = bytes([0]) + msgpack.packb([0, 32, ["echoer"], ["a"], msgpack.packb("hello")])
    records = {
        "ready": record(down, b"ockam-actix/1 ready\0"),
        "from_initiator": [record(up, text) for text in (hello, b"\1", bytes(519))],
        "from_responder": [record(down, text) for text in (b"\2", hello, b"\3")],
    }
    # On to the last record under the first key; what is sealed meanwhile has one byte.
    while up.n < REKEY_AFTER - 1:
        record(up, b"\1")
    around = [record(up, b"\1"), record(up, hello), record(up, b"\1")]
    rekey = {"filler": "01", "records": around, "next_key": bytes(up.k).hex()}
    print(json.dumps({
        "pattern": PATTERN,
        "prologue": PROLOGUE.hex(),
        "initiator": initiator.shown(),
        "responder": responder.shown(),
        "messages": messages,
        "keys": keys,
        "expendable": may_be_lost,
        "refused": refused,
        "records": records,
        "rekey": rekey,
        "through_a_forwarder": through_a_forwarder(),
    }, indent=1))


main()
