//! The Noise state machine of one handshake: snow, with ring's hash, cipher and randomness and our
//! own X25519.
//!
//! snow's own X25519 neither wipes secret keys nor rejects small-order points; Noise leaves both to
//! the implementation.

use snow::{
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, RingResolver},
    types::{Cipher, Dh, Hash, Random},
    Builder, HandshakeState,
};
use x25519_dalek::{SharedSecret, StaticSecret};
use zeroize::Zeroizing;

use crate::{
    identity::{
        address_secret::AddressSecret,
        local_identity::{LocalIdentity, StaticKey},
        secret_bytes::SecretKey,
        signature::PublicKey,
    },
    secure_channel::{
        handshake::{
            HandshakeError, HandshakeMessage, Session, VerifiedPeer, MAX_MESSAGE, MAX_PAYLOAD,
            MESSAGE1_LENGTH, MESSAGE1_LENGTH_WITH_SECRET, PROLOGUE,
        },
        record::{Opener, Sealer},
    },
};

const PATTERN: &str = "Noise_XX_25519_AESGCM_SHA256";

/// The pattern with the secret of a forwarding address, mixed in with message 3.
const PATTERN_WITH_SECRET: &str = "Noise_XXpsk3_25519_AESGCM_SHA256";

/// Which end this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Initiator,
    Responder,
}

/// A running handshake.
pub(super) struct Noise {
    state: HandshakeState,
    role: Role,
    has_secret: bool,
}

impl Noise {
    /// Starts with the local static key, and a secret that both ends must have, if any; `ephemeral`
    /// only for test vectors.
    pub(super) fn start(
        role: Role,
        local: &LocalIdentity,
        secret: Option<&AddressSecret>,
        ephemeral: Option<&[u8; 32]>,
    ) -> Result<Self, HandshakeError> {
        let static_secret = local.static_key().secret().expose();
        let state = build(role, static_secret, PROLOGUE, secret, ephemeral);
        state
            .map(|state| Self { state, role, has_secret: secret.is_some() })
            .map_err(|error| HandshakeError::Internal(error.to_string()))
    }

    /// Writes the next message to send.
    pub(super) fn write(
        &mut self,
        message: HandshakeMessage,
        payload: &[u8],
    ) -> Result<Vec<u8>, HandshakeError> {
        let mut out = vec![0; MAX_MESSAGE];
        let length = self.state.write_message(payload, &mut out);
        out.truncate(length.map_err(|error| HandshakeError::of_noise(message, &error))?);
        Ok(out)
    }

    /// Reads a message from the peer; returns its payload.
    pub(super) fn read(
        &mut self,
        message: HandshakeMessage,
        bytes: &[u8],
    ) -> Result<Vec<u8>, HandshakeError> {
        // The bytes before the payload, and its tag; message 1 has no payload.
        let (fixed, most) = match message {
            HandshakeMessage::One => (self.message1_length(), 0),
            HandshakeMessage::Two => (32 + 48 + 16, MAX_PAYLOAD),
            HandshakeMessage::Three | HandshakeMessage::Ready => (48 + 16, MAX_PAYLOAD),
        };
        let length = bytes.len();
        if !(fixed..=fixed + most).contains(&length) {
            return Err(HandshakeError::BadLength { message, length });
        }
        let mut payload = vec![0; length];
        let length = self.state.read_message(bytes, &mut payload);
        payload.truncate(length.map_err(|error| HandshakeError::of_noise(message, &error))?);
        Ok(payload)
    }

    /// With a secret, the empty payload of message 1 has a tag too.
    fn message1_length(&self) -> usize {
        if self.has_secret {
            MESSAGE1_LENGTH_WITH_SECRET
        } else {
            MESSAGE1_LENGTH
        }
    }

    /// The handshake hash over everything written and read so far.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.state.get_handshake_hash());
        hash
    }

    /// The peer's static key, once a message has carried it.
    pub(super) fn peer_static(&self) -> Result<PublicKey, HandshakeError> {
        let key = self.state.get_remote_static().and_then(|key| key.try_into().ok());
        key.ok_or_else(|| HandshakeError::Internal("no static key of the peer".to_owned()))
    }

    /// The session with a peer that was verified, after message 3.
    pub(super) fn finish(self, peer: VerifiedPeer) -> Result<Session, HandshakeError> {
        let Split { sealer, opener, handshake_hash } = self.split()?;
        Ok(Session { peer, sealer, opener, handshake_hash })
    }

    /// Splits into the keys of both directions, after message 3.
    pub(super) fn split(mut self) -> Result<Split, HandshakeError> {
        if !self.state.is_handshake_finished() {
            return Err(HandshakeError::Internal(
                "split before the handshake was finished".to_owned(),
            ));
        }
        let handshake_hash = self.hash();
        let mut keys = Zeroizing::new(self.state.dangerously_get_raw_split());
        // The first key is for what the initiator sends.
        let (from_initiator, from_responder) =
            (SecretKey::take(&mut keys.0), SecretKey::take(&mut keys.1));
        let (ours, theirs) = match self.role {
            Role::Initiator => (from_initiator, from_responder),
            Role::Responder => (from_responder, from_initiator),
        };
        Ok(Split { sealer: Sealer::new(&ours), opener: Opener::new(&theirs), handshake_hash })
    }
}

/// Both directions after a handshake, whoever is at the other end.
pub(super) struct Split {
    pub(super) sealer: Sealer,
    opener: Opener,
    handshake_hash: [u8; 32],
}

/// A Noise state with our primitives.
pub(super) fn build(
    role: Role,
    static_secret: &[u8; 32],
    prologue: &[u8],
    secret: Option<&AddressSecret>,
    ephemeral: Option<&[u8; 32]>,
) -> Result<HandshakeState, snow::Error> {
    let pattern = if secret.is_some() { PATTERN_WITH_SECRET } else { PATTERN };
    let builder = Builder::with_resolver(pattern.parse()?, Box::new(Primitives));
    let mut builder = builder.prologue(prologue)?.local_private_key(static_secret)?;
    if let Some(secret) = secret {
        builder = builder.psk(3, secret.psk())?;
    }
    if let Some(ephemeral) = ephemeral {
        builder = builder.fixed_ephemeral_key_for_testing_only(ephemeral);
    }
    match role {
        Role::Initiator => builder.build_initiator(),
        Role::Responder => builder.build_responder(),
    }
}

/// Chooses the implementation of each primitive.
struct Primitives;

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        RingResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(X25519(None))),
            _ => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

/// An X25519 key pair that wipes itself and refuses to agree on zero. Empty until `set` or
/// `generate`.
struct X25519(Option<StaticKey>);

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        SecretKey::LENGTH
    }

    fn set(&mut self, secret: &[u8]) {
        let mut bytes = Zeroizing::new([0; SecretKey::LENGTH]);
        // `build` passes arrays of exactly this length.
        bytes.copy_from_slice(secret);
        self.0 = Some(StaticKey::new(SecretKey::take(&mut bytes)));
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut bytes = Zeroizing::new([0; SecretKey::LENGTH]);
        rng.try_fill_bytes(bytes.as_mut_slice())?;
        self.0 = Some(StaticKey::new(SecretKey::take(&mut bytes)));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.0.as_ref().map_or(&[0; 32], |key| key.public())
    }

    fn privkey(&self) -> &[u8] {
        self.0.as_ref().map_or(&[0; SecretKey::LENGTH], |key| key.secret().expose())
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let public = public.get(..32).and_then(|key| key.try_into().ok()).ok_or(snow::Error::Dh)?;
        let key = self.0.as_ref().ok_or(snow::Error::Dh)?;
        let shared = agree(key.secret(), public).ok_or(snow::Error::Dh)?;
        out.get_mut(..32).ok_or(snow::Error::Dh)?.copy_from_slice(shared.as_bytes());
        Ok(())
    }
}

/// The shared secret, or `None` for zero: it comes from small-order points only and says nothing
/// about who holds a key.
pub(super) fn agree(secret: &SecretKey, public: &PublicKey) -> Option<SharedSecret> {
    let secret = StaticSecret::from(*secret.expose());
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(*public));
    shared.was_contributory().then_some(shared)
}
