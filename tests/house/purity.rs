//! Pure code: what decides knows no socket, clock, randomness or actor; time and random bits come
//! in as arguments.

use std::path::Path;

use crate::source::{product_files, File};

/// Folders and files that are pure. Tests beside them may do as they like.
const PURE: [&str; 35] = [
    "runtime/src/address/route.rs",
    "runtime/src/group/members.rs",
    "runtime/src/message/codec.rs",
    "runtime/src/message/codec/",
    "runtime/src/message/messagepack.rs",
    "runtime/src/message/notice.rs",
    "runtime/src/node/table.rs",
    "runtime/src/edge/liveness.rs",
    "runtime/src/trust/origin.rs",
    "runtime/src/trust/rate.rs",
    "runtime/src/trust/reachability.rs",
    "runtime/src/trust/reachability/",
    "runtime/src/trust/source.rs",
    "runtime/src/trust/tally.rs",
    "runtime/src/watch/held.rs",
    "runtime/src/watch/watching.rs",
    "runtime/src/worker/restart.rs",
    "transports/src/frame.rs",
    "workers/src/datagram/flow_table.rs",
    "workers/src/datagram/message.rs",
    "workers/src/forwarder/protocol.rs",
    "workers/src/forwarder/protocol/",
    "workers/src/forwarder/hub/ledger.rs",
    "workers/src/forwarder/placement.rs",
    "workers/src/identity/policy.rs",
    "workers/src/identity/trust_list.rs",
    "workers/src/invitation/ledger.rs",
    "workers/src/invitation/text.rs",
    "workers/src/portal/protocol/",
    "workers/src/secure_channel/key_age.rs",
    "workers/src/secure_channel/open_sessions/register.rs",
    "workers/src/secure_channel/packet.rs",
    "workers/src/secure_channel/plaintext.rs",
    "workers/src/secure_channel/record.rs",
    "workers/src/secure_channel/record/",
];

/// Names that none of them uses, and what those would bring in.
const FORBIDDEN: [(&str, &str); 9] = [
    ("actix::", "actors"),
    ("tokio::", "sockets, timers and tasks"),
    ("std::fs", "files"),
    ("std::net::Tcp", "sockets"),
    ("std::thread", "threads"),
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("SystemRandom", "randomness"),
    (" log::", "a log"),
];

fn is_pure(file: &File) -> bool {
    let path = file.path.to_string_lossy();
    let is_test = path.contains("/tests") || path.ends_with("tests.rs");
    !is_test && PURE.iter().any(|pure| path.starts_with(pure))
}

/// The code before the file's own tests, without comments.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let product = file.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = (1..).zip(product.lines());
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn pure_folders_know_no_socket_clock_or_actor() {
    let mut found = Vec::new();
    for file in product_files().iter().filter(|file| is_pure(file)) {
        for (number, line) in code(file) {
            for (word, what) in FORBIDDEN {
                if line.replace("ockam_actix_", "").contains(word) {
                    found.push(format!("{}:{number}: {word} ({what})", file.path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "not pure: {found:#?}");
}

#[test]
fn every_pure_folder_exists() {
    let files = product_files();
    for pure in PURE {
        assert!(files.iter().any(|file| file.path.starts_with(Path::new(pure))), "{pure}");
    }
}
