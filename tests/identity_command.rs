//! `ockam identity` as a person uses it: its output, and its errors.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use ockam_actix_harness::program::clean;
use serde_json::{json, Value};

/// Runs `ockam identity` with a key file beside the vault.
fn identity(vault: &Path, arguments: &[&str]) -> Output {
    let key = vault.with_extension("key");
    ockam(vault, &[arguments, &["--key-file", key.to_str().unwrap()]].concat()).output().unwrap()
}

/// `ockam identity`, without a passphrase and without a terminal.
fn ockam(vault: &Path, arguments: &[&str]) -> Command {
    let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
    command.arg("identity").args(arguments).env("OCKAM_VAULT", vault).stdin(Stdio::null());
    command
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", error(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asserts that a command has failed with one line, which has all of `named`.
fn expect_error(output: &Output, named: &[&str]) {
    let text = error(output);
    assert!(!output.status.success());
    assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
    for name in named {
        assert!(text.contains(name), "{text} names {name}");
    }
}

#[test]
fn identity_is_created_listed_shown_exported_and_rotated() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("new").join("vault");
    let identifier = out(&identity(&vault, &["create", "web"])).trim().to_owned();
    assert!(identifier.starts_with('I') && identifier.len() == 65, "{identifier}");
    {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(vault.parent().unwrap()), mode(&vault)), (0o700, 0o600));
    }
    assert_eq!(out(&identity(&vault, &["list"])), format!("{identifier}  web\n"));
    let shown = out(&identity(&vault, &["show", "web"]));
    let public = out(&identity(&vault, &["export-public", "web"]));
    assert!(shown.contains(&identifier) && shown.contains("keys        1\n"), "{shown}");
    assert!(shown.contains(public.trim()), "{shown}");
    let file = directory.path().join("public");
    out(&identity(&vault, &["export-public", "web", "--out", file.to_str().unwrap()]));
    assert_eq!(fs::read_to_string(&file).unwrap(), public);
    let rotated = out(&identity(&vault, &["rotate", "web"]));
    assert!(rotated.contains(&identifier) && rotated.contains("key 2"), "{rotated}");
    let shown = out(&identity(&vault, &["show", "web"]));
    assert!(shown.contains(&identifier) && shown.contains("keys        2\n"), "{shown}");
}

#[test]
fn only_the_right_passphrase_opens_the_vault() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault");
    let with = |passphrase: &str, arguments: &[&str]| {
        ockam(&vault, arguments).env("OCKAM_PASSPHRASE", passphrase).output().unwrap()
    };
    let identifier = out(&with("correct horse", &["create", "web"]));
    assert_eq!(out(&with("correct horse", &["list"])), format!("{}  web\n", identifier.trim()));
    let path = vault.to_str().unwrap();
    let wrong = with("battery staple", &["list"]);
    expect_error(&wrong, &[path, "passphrase", "backup"]);
    assert!(!error(&wrong).contains("battery"), "the passphrase is not repeated");
    expect_error(&with("", &["list"]), &[path, "empty"]);
    expect_error(
        &ockam(&vault, &["list"]).output().unwrap(),
        &[path, "OCKAM_PASSPHRASE", "--key-file"],
    );
    expect_error(&identity(&vault, &["list"]), &[path, "passphrase"]);
}

#[test]
fn errors_are_one_line_with_file_and_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault");
    let path = vault.to_str().unwrap();
    expect_error(&identity(&vault, &["list"]), &[path, "ockam identity create"]);
    assert!(!vault.exists(), "listing makes no vault");
    out(&identity(&vault, &["create", "web"]));
    expect_error(&identity(&vault, &["create", "web"]), &["already", "web"]);
    expect_error(&identity(&vault, &["show", "wob"]), &[path, "wob", "ockam identity list"]);
    expect_error(&identity(&vault, &["rotate", "wob"]), &[path, "wob"]);
    {
        fs::set_permissions(&vault, fs::Permissions::from_mode(0o644)).unwrap();
        expect_error(&identity(&vault, &["list"]), &[path, "chmod 600"]);
        fs::set_permissions(&vault, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut bytes = fs::read(&vault).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&vault, &bytes).unwrap();
    expect_error(&identity(&vault, &["list"]), &[path, "damaged", "backup"]);
    fs::write(&vault, b"something else").unwrap();
    expect_error(&identity(&vault, &["list"]), &[path, "not a vault"]);
}

#[test]
fn known_histories_are_listed_accepted_and_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault");
    let identifier = out(&identity(&vault, &["create", "web"])).trim().to_owned();
    let known =
        |arguments: &[&str]| ockam(&vault, &[&["known"], arguments].concat()).output().unwrap();
    assert_eq!(out(&known(&[])), "");
    let public = out(&identity(&vault, &["export-public", "web"]));
    out(&known(&["accept", &public]));
    let beside = directory.path().join("vault.known");
    let listed = format!("{identifier}  1 keys, accepted here\n");
    for arguments in [&["list"][..], &["--file", beside.to_str().unwrap()]] {
        assert_eq!(out(&known(arguments)), listed);
    }
    let trusted = directory.path().join("trusted");
    fs::write(&trusted, format!("laptop {identifier}\n")).unwrap();
    let named = out(&known(&["--trust-file", trusted.to_str().unwrap()]));
    assert!(named.trim_end().ends_with("accepted here  laptop"), "{named}");
    expect_error(&known(&["accept", &public[2..]]), &["public part", "export-public"]);
    out(&known(&["forget", &identifier]));
    expect_error(&known(&["forget", &identifier]), &["vault.known", &identifier]);
    assert_eq!(out(&known(&["list"])), "");
}

#[test]
fn identities_created_at_once_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("new").join("vault");
    let programs: Vec<_> = (0..10)
        .map(|number| {
            let mut command = ockam(&vault, &["create", &format!("web-{number}")]);
            command.env("OCKAM_PASSPHRASE", "correct horse");
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut made: Vec<_> = programs
        .into_iter()
        .map(|program| out(&program.wait_with_output().unwrap()).trim().to_owned())
        .collect();
    let listed = ockam(&vault, &["list"]).env("OCKAM_PASSPHRASE", "correct horse").output();
    let listed = out(&listed.unwrap());
    let mut found: Vec<_> =
        listed.lines().map(|line| line.split("  ").next().unwrap().to_owned()).collect();
    made.sort();
    found.sort();
    assert_eq!(found, made, "{listed}");
}

#[test]
fn a_passphrase_is_read_from_a_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault");
    // Standard input stays open: the line is enough.
    let mut command = ockam(&vault, &["create", "web", "--passphrase-fd", "0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut input = program.stdin.take().unwrap();
    input.write_all(b"correct horse\nnot a part of it").unwrap();
    let identifier = out(&program.wait_with_output().unwrap());
    drop(input);
    let expected = format!("{}  web\n", identifier.trim());
    // The shell opens descriptor 7, here with a line that has no end.
    let mut shell = clean("sh");
    let script = "printf 'correct horse' | \"$0\" identity list --passphrase-fd 7 7<&0";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_ockam")]).env("OCKAM_VAULT", &vault);
    assert_eq!(out(&shell.output().unwrap()), expected);
    let closed = ockam(&vault, &["list", "--passphrase-fd", "9"]).output().unwrap();
    expect_error(&closed, &["passphrase", "descriptor 9"]);
    let as_argument = ockam(&vault, &["list", "--passphrase", "correct horse"]).output().unwrap();
    assert!(!as_argument.status.success(), "arguments are visible to others");
}

#[test]
fn identities_are_renamed_moved_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let [one, other, moving, key] = ["one", "other", "moving", "moving.key"].map(at);
    let [moving, key] = [&moving, &key].map(|path| path.to_str().unwrap());
    let identifier = out(&identity(&one, &["create", "web"])).trim().to_owned();
    out(&identity(&one, &["rename", "web", "shop"]));
    assert_eq!(out(&identity(&one, &["list"])), format!("{identifier}  shop\n"));
    out(&identity(&one, &["export", "shop", "--out", moving, "--file-key", key]));
    let again = identity(&one, &["export", "shop", "--out", moving, "--file-key", key]);
    expect_error(&again, &["exists", moving]);
    let unsealed = ["export", "shop", "--out", &format!("{moving}.new")];
    expect_error(&identity(&one, &unsealed), &["OCKAM_EXPORT_PASSPHRASE", "--file-key"]);
    let mistaken = ["import", moving, "--file-key", other.to_str().unwrap()];
    expect_error(&identity(&other, &mistaken), &["key file", "missing"]);
    assert!(!other.exists(), "an import that fails makes no vault");
    let import = ["import", moving, "--file-key", key];
    assert_eq!(out(&identity(&other, &import)), format!("{identifier}  shop\n"));
    expect_error(
        &identity(&other, &[&import[..], &["--name", "x"]].concat()),
        &[&identifier, "shop"],
    );
    assert_eq!(
        out(&identity(&other, &["export-public", "shop"])),
        out(&identity(&one, &["export-public", "shop"]))
    );
    expect_error(&identity(&one, &["delete", "shop"]), &["--yes", &identifier]);
    out(&identity(&one, &["delete", "shop", "--yes"]));
    assert_eq!(out(&identity(&one, &["list"])), "");
}

#[test]
fn everything_printed_is_json_if_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault");
    let moving = directory.path().join("moving");
    let moving =
        ["--out", moving.to_str().unwrap(), "--file-key", &format!("{}.key", moving.display())];
    let json = |arguments: &[&str]| {
        let text = out(&identity(&vault, &[arguments, &["--json"]].concat()));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let identifier = json(&["create", "web"])["identifier"].clone();
    assert_eq!(json(&["list"]), json!([{ "identifier": identifier, "name": "web" }]));
    let shown = json(&["show", "web"]);
    let public = json(&["export-public", "web"])["public"].clone();
    assert_eq!((&shown["public"], &shown["keys"]), (&public, &json!(1)));
    assert_eq!(json(&["known", "list"]), json!([]));
    assert_eq!(json(&["known", "accept", public.as_str().unwrap()])["keys"], 1);
    assert_eq!(json(&["known"])[0]["standing"], "accepted");
    assert_eq!(json(&["known", "forget", identifier.as_str().unwrap()])["identifier"], identifier);
    assert_eq!(json(&["rotate", "web"])["keys"], 2);
    assert_eq!(json(&["renew-addresses", "web"])["identifier"], identifier);
    assert_eq!(json(&["rename", "web", "shop"])["name"], "shop");
    assert_eq!(json(&[&["export", "shop"], &moving[..]].concat())["file"], moving[1]);
    assert_eq!(json(&["delete", "shop", "--yes"])["identifier"], identifier);
    assert_eq!(json(&["import", moving[1], moving[2], moving[3]])["name"], "shop");
}
