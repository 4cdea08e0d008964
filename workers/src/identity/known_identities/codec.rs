//! The file of known key histories.
//!
//! ```text
//! file    = "ockam-actix known identities 1\n" || SHA-256(entries) || entries
//! entries = array of [kind, named, keys] or [1, named, keys, keys], the longest unused first
//! kind    = 0 the longest history that was met, 1 two that exclude each other, 2 an accepted one
//! named   = 1 if a policy names the identity, else 0
//! keys    = array of 1 to 16 bin 32
//! ```
//!
//! Nothing in it is secret. The hash only finds damage: anybody who may write the file can change
//! whom it makes the node trust.

use ockam_actix_runtime::message::messagepack::{Reader, Writer};
use ring::digest::{digest, SHA256};

use crate::identity::{
    key_history::KeyHistory,
    known_identities::table::{KnownHistory, MetBy, MAX_KNOWN},
    MAX_CHANGES,
};

const MAGIC: &[u8] = b"ockam-actix known identities 1\n";

const HASH: usize = 32;

/// Bytes of the largest file: two histories of 16 keys for each entry.
pub(super) const MAX_FILE: usize =
    MAGIC.len() + HASH + 5 + MAX_KNOWN * (3 + 2 * (3 + MAX_CHANGES * 34));

pub(super) fn encode(entries: &[(KnownHistory, MetBy)]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(entries.len().saturating_mul(128));
    writer.array(entries.len());
    for (known, met_by) in entries {
        let named = u8::from(*met_by == MetBy::Name);
        let (fields, kind) = match known {
            KnownHistory::Longest(_) => (3, 0),
            KnownHistory::Forked(..) => (4, 1),
            KnownHistory::Accepted(_) => (3, 2),
        };
        writer.array(fields);
        writer.number(kind);
        writer.number(named);
        known.history().write(&mut writer);
        if let KnownHistory::Forked(_, other) = known {
            other.write(&mut writer);
        }
    }
    let entries = writer.finish();
    [MAGIC, digest(&SHA256, &entries).as_ref(), &entries].concat()
}

/// The entries of a file, or `None` if it is damaged or something else.
pub(super) fn decode(file: &[u8]) -> Option<Vec<(KnownHistory, MetBy)>> {
    let (hash, entries) = file.strip_prefix(MAGIC)?.split_at_checked(HASH)?;
    if digest(&SHA256, entries).as_ref() != hash {
        return None;
    }
    let mut reader = Reader::new(entries);
    let count = reader.array(0..=MAX_KNOWN).ok()?;
    let entries = (0..count).map(|_| read_entry(&mut reader)).collect::<Option<_>>()?;
    reader.finish().ok()?;
    Some(entries)
}

fn read_entry(reader: &mut Reader<'_>) -> Option<(KnownHistory, MetBy)> {
    let fields = reader.array(3..=4).ok()?;
    let kind = reader.number().ok()?;
    let met_by = match reader.number().ok()? {
        0 => MetBy::Kept,
        1 => MetBy::Name,
        _ => return None,
    };
    let history = KeyHistory::read(reader)?;
    let known = match (kind, fields) {
        (0, 3) => KnownHistory::Longest(history),
        (1, 4) => KnownHistory::Forked(history, KeyHistory::read(reader)?),
        (2, 3) => KnownHistory::Accepted(history),
        _ => return None,
    };
    Some((known, met_by))
}
