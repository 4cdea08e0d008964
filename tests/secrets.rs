//! The log has no secret, whatever the level: everything runs with known secrets, and the log is
//! searched for them.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ockam::{
    route, Entity, NodeBuilder, Secret, SecureChannels, TcpTransport, TrustIdentifierPolicy, Vault,
    TCP,
};
use ockam_actix_harness::echo;
use ring::{aead, hmac};

const SERVICE: &str = "secure_channel_listener_service";
const PASSPHRASE: &str = "canary-passphrase-7f3a";
const PLAINTEXT: &str = "canary-plaintext-51c9-that-crosses-the-portal";

/// Keeps every line of every crate.
struct Capture(Mutex<String>);

static CAPTURE: Capture = Capture(Mutex::new(String::new()));

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
    }

    fn flush(&self) {}
}

/// Bytes of a vault file before what is encrypted.
const HEADER: usize = 62;

/// The secrets of the one identity in a vault that a key file opens; the layout is the one in
/// `vault_file.rs`.
fn secrets_of(vault: &[u8], key_file: &[u8]) -> [Vec<u8>; 2] {
    let (header, sealed) = vault.split_at(HEADER);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key_file);
    let label = [b"ockam-actix/1 vault key\0", &header[22..38]].concat();
    let key = hmac::sign(&key, &label);
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_ref()).unwrap();
    let nonce = aead::Nonce::try_assume_unique_for_key(&header[38..50]).unwrap();
    let (mut sealed, header) = (sealed.to_vec(), aead::Aad::from(header));
    let content = aead::LessSafeKey::new(key).open_in_place(nonce, header, &mut sealed).unwrap();
    // An entry ends with two byte strings of 32 bytes: the seed and the static secret.
    let end = content.len();
    [content[end - 66..end - 34].to_vec(), content[end - 32..].to_vec()]
}

/// The forms in which a secret could be logged: text, hexadecimal digits of both cases, and bytes
/// as Rust shows them; the beginning is enough.
fn forms(secret: &[u8]) -> Vec<String> {
    let head = &secret[..secret.len().min(12)];
    let joined = |format: fn(&u8) -> String, separator: &str| {
        head.iter().map(format).collect::<Vec<_>>().join(separator)
    };
    let mut forms = vec![
        joined(|byte| format!("{byte:02x}"), ""),
        joined(|byte| format!("{byte:02X}"), ""),
        joined(u8::to_string, ", "),
        joined(|byte| format!("{byte:02x}"), ", "),
    ];
    forms.extend(std::str::from_utf8(head).map(str::to_owned));
    forms
}

#[test]
fn no_secret_is_in_the_trace_log() {
    log::set_logger(&CAPTURE).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let key = Secret::key_file(path("key"));
    let with_passphrase = Vault::open(path("other"), &Secret::passphrase(PASSPHRASE)).unwrap();
    with_passphrase.create_identity("laptop").unwrap();
    let wrong = Vault::open(path("other"), &Secret::passphrase(format!("{PASSPHRASE}-wrong")));
    log::error!("{}", wrong.unwrap_err());
    let vault = Vault::open(path("vault"), &key).unwrap();
    vault.create_identity("web").unwrap();
    let mut secrets: Vec<Vec<u8>> = vec![PASSPHRASE.into(), PLAINTEXT.into()];
    let key_file = fs::read(path("key")).unwrap();
    secrets.extend(secrets_of(&fs::read(path("vault")).unwrap(), &key_file));
    secrets.push(key_file);

    actix_rt::System::new().block_on(async {
        let server = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let client = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let mut web = Entity::open(&server, &vault, "web").unwrap();
        let mut laptop = Entity::open(&client, &with_passphrase, "laptop").unwrap();
        let (tcp, client_tcp) = (
            TcpTransport::create(&server).await.unwrap(),
            TcpTransport::create(&client).await.unwrap(),
        );
        tcp.create_outlet("outlet", echo::start()).await.unwrap();
        let trusted = TrustIdentifierPolicy::new(laptop.identifier());
        web.create_secure_channel_listener(SERVICE, trusted).unwrap();
        let at = tcp.listen("127.0.0.1:0").await.unwrap().address().to_string();
        let route = route![(TCP, at), SERVICE];
        let trusted = TrustIdentifierPolicy::new(web.identifier());
        let channel = laptop.create_secure_channel(route.clone(), trusted.clone()).unwrap();
        let route_in = route![&channel, "outlet"];
        let inlet = client_tcp.create_inlet("127.0.0.1:0", route_in).await.unwrap();
        let address = inlet.address();
        let echoed = actix_rt::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(PLAINTEXT.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut echoed = String::new();
            stream.read_to_string(&mut echoed).unwrap();
            echoed
        });
        assert_eq!(echoed.await.unwrap(), PLAINTEXT);
        // Refusals and debug output are verbose.
        let to_nobody = route![&channel, "nobody"];
        let text = String::from(PLAINTEXT);
        assert!(client.ask(to_nobody, text.clone()).reply_as::<String>().await.is_err());
        // This goes to the outlet, which cannot decode it.
        assert!(client.ask(route![&channel, "outlet"], text).reply_as::<String>().await.is_err());
        web.rotate().unwrap();
        let mut stranger = Entity::create(&client, &Vault::in_memory()).unwrap();
        let refused = stranger.create_secure_channel(route, trusted).unwrap();
        log::error!("{}", refused.established_within(Duration::from_secs(20)).await.unwrap_err());
        log::debug!("{web:?} {vault:?} {key:?} {:?} {channel:?}", web.local_identity());
        log::debug!("{:?} {server:?} {:?}", Secret::passphrase(PASSPHRASE), server.reachability());
        client.stop().await;
        server.stop().await;
    });
    secrets.extend(secrets_of(&fs::read(path("vault")).unwrap(), &secrets[4]));

    let log = CAPTURE.0.lock().unwrap().clone();
    assert!(log.contains("is established with"), "the log was captured");
    for secret in &secrets {
        for form in forms(secret) {
            assert!(!log.contains(&form), "a secret is in the log as {form}");
        }
    }
    println!("{} lines searched for {} secrets", log.lines().count(), secrets.len());
}

#[test]
fn the_search_finds_a_secret_in_every_form() {
    let secret = *b"0123456789abcdefghijklmnopqrstuv";
    let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(&secret).into_owned();
    for leak in [format!("seed {secret:?}"), hexadecimal.to_uppercase(), hexadecimal, text] {
        assert!(forms(&secret).iter().any(|form| leak.contains(form)), "{leak} is found");
    }
}
