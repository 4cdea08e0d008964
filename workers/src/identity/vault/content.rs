//! The content of a vault file, before encryption: `[generation, entries]`. The generation counts
//! the writes, so that an older copy is noticed; an entry is
//! `[text name, history, bin seed, bin static secret, bin root of address secrets]`.

use zeroize::Zeroizing;

use crate::identity::{self, local_identity::LocalIdentity, secret_bytes::SecretKey, Identity};
use ockam_actix_runtime::{
    message::messagepack::{Reader, Writer},
    text::is_unseen,
};

/// Identities in one vault. All of them are written with every change, so this stays a small file.
pub const MAX_IDENTITIES: usize = 256;

/// Bytes of the longest name of an identity.
pub const MAX_NAME: usize = 64;

/// One identity with its name and its secrets.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) identity: LocalIdentity,
}

/// Whether a text may name an identity.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(is_unseen)
}

/// What a vault holds.
#[derive(Clone, Default)]
pub(super) struct Content {
    /// How often it was written.
    pub(super) generation: u32,
    pub(super) entries: Vec<Entry>,
}

/// Bytes of the longest entry: array header, name, history, three secrets.
const MAX_ENTRY: usize = 1 + 2 + MAX_NAME + identity::MAX_ENCODED + 3 * 34;

/// The content as bytes. The room is reserved at once, because a growing buffer leaves secrets
/// behind where it was.
pub(super) fn encode(Content { generation, entries }: &Content) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::with_capacity(1 + 5 + 5 + entries.len() * MAX_ENTRY);
    writer.array(2);
    writer.uint(*generation);
    writer.array(entries.len());
    for Entry { name, identity } in entries {
        writer.array(5);
        writer.text(name);
        identity.identity().write(&mut writer);
        writer.bin(identity.seed().expose());
        writer.bin(identity.static_key().secret().expose());
        writer.bin(identity.address_root().expose());
    }
    Zeroizing::new(writer.finish())
}

/// What `content` says, or `None`. It was authenticated before, so anything wrong in it is the
/// fault of the program that wrote it.
pub(super) fn decode(content: &[u8]) -> Option<Content> {
    let mut reader = Reader::new(content);
    reader.array(2..=2).ok()?;
    let generation = reader.uint().ok()?;
    let count = reader.array(0..=MAX_IDENTITIES).ok()?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for _ in 0..count {
        let entry = decode_entry(&mut reader)?;
        let repeated = |earlier: &Entry| {
            earlier.name == entry.name
                || earlier.identity.identifier() == entry.identity.identifier()
        };
        if entries.iter().any(repeated) {
            return None;
        }
        entries.push(entry);
    }
    reader.finish().ok()?;
    Some(Content { generation, entries })
}

fn decode_entry(reader: &mut Reader<'_>) -> Option<Entry> {
    reader.array(5..=5).ok()?;
    let name = Some(reader.text(1..=MAX_NAME).ok()?).filter(|name| is_name(name))?.to_owned();
    let identity = Identity::read(reader).ok()?;
    let seed = SecretKey::copy_of(reader.bin().ok()?);
    let static_secret = SecretKey::copy_of(reader.bin().ok()?);
    let address_root = SecretKey::copy_of(reader.bin().ok()?);
    let identity = LocalIdentity::restore(identity, seed, static_secret, address_root)?;
    Some(Entry { name, identity })
}
