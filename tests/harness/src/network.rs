//! A test in a network of its own, where every port is free.
//!
//! The guide's programs use fixed ports. Such a test starts its own executable again, with itself
//! as the only test, in new network and process namespaces. When that ends, all that it started
//! ends too. Where namespaces cannot be made, such tests run one at a time.

use std::{
    env, fs,
    io::{self, Read, Write},
    net::TcpListener,
    process::{exit, Command, Stdio},
    sync::OnceLock,
    thread,
};

/// Set in the process inside the namespaces.
const MARK: &str = "OCKAM_TEST_IN_OWN_NETWORK";

/// The port that the guide's programs listen on.
const FIXED_PORT: &str = "127.0.0.1:4000";

/// Runs `body` where every port is free. To be called from the test function with a closure: the
/// name of its type says which test to start again.
pub fn in_own_network<F: FnOnce()>(body: F) {
    if is_own() {
        die_with_whoever_started_us();
        return body();
    }
    match missing() {
        None => start_again(test_name::<F>()),
        Some(missing) => one_at_a_time(missing, body),
    }
}

/// Whether this runs in a network of its own, whose settings may be changed.
pub fn is_own() -> bool {
    env::var_os(MARK).is_some()
}

/// `crate::module::test::{{closure}}` is the test `module::test`.
fn test_name<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_, inside)| inside);
    name.trim_end_matches("::{{closure}}")
}

fn start_again(test: &str) {
    let executable = env::current_exe().expect("this test is a file");
    let mut inside = isolated(executable.to_str().expect("its path is text"));
    inside
        .args(["--exact", test, "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(MARK, "1");
    inside.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = inside.spawn().expect("namespaces were made before");
    // It ends when this pipe does; every wait inside has a deadline.
    let lifeline = child.stdin.take();
    let output = child.wait_with_output().expect("it is our child");
    drop(lifeline);
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its own network: see above");
    assert!(said.contains("1 passed"), "there is no test {test} in its own network: see above");
}

/// `program` in namespaces of its own, with the loopback interface up. The names of further
/// networks that it makes are its own, too, and end with it.
fn isolated(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--mount", "--fork", "--kill-child"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    let names = "{ mkdir -p /run/netns && mount -t tmpfs none /run/netns; } 2>/dev/null";
    let line = format!("{names}; ip link set lo up && exec \"$0\" \"$@\"");
    command.args(["sh", "-c", &line, program]);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The reason why this machine cannot make namespaces, if it cannot; found out once.
fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| match isolated("true").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    });
    missing.as_deref()
}

/// Starts a thread that ends this process when the one outside is gone, whatever the reason.
fn die_with_whoever_started_us() {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        exit(1);
    });
}

/// Without namespaces: the other tests that need the port wait for this one.
fn one_at_a_time(missing: &str, body: impl FnOnce()) {
    let lock = env::temp_dir().join("ockam-actix-tests-port-4000.lock");
    let lock = fs::File::create(lock).expect("the folder for temporary files is ours");
    lock.lock().expect("the file system has locks");
    if let Err(error) = TcpListener::bind(FIXED_PORT) {
        // Not with a macro: the output of those is captured, and nobody would see it.
        let text = format!(
            "SKIPPED: no network of its own for the test ({missing}), \
             and {FIXED_PORT} is in use ({error})\n"
        );
        let _ = io::stderr().write_all(text.as_bytes());
        return;
    }
    body();
}
