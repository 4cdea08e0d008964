//! Programs that people use, each with one connection that lasts: an idle ssh session, `psql` in
//! the middle of a COPY, and MQTT clients with quality of service 2. Each has a server of its own,
//! and checks at its end that it has noticed nothing.

use crate::hub_kills::Service;
use ockam_actix_harness::{
    deadline::{wait_for, PATIENCE},
    installed::installed,
    process::{Process, READY_WITHIN},
    program::clean,
    scratch::Scratch,
};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc, Mutex, PoisonError,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often a program that sends all the time sends something.
const SENDS_EVERY: Duration = Duration::from_millis(20);

/// A program with its connection.
pub(crate) struct Everyday {
    name: &'static str,
    end: Box<dyn FnOnce() -> io::Result<String>>,
}

impl Everyday {
    /// Ends it, which must go well; returns its name, and what it has done.
    pub(crate) fn end(self) -> io::Result<(String, String)> {
        let done = (self.end)();
        let done = done.map_err(|error| io::Error::other(format!("{}: {error}", self.name)))?;
        Ok((self.name.to_owned(), done))
    }
}

/// Starts those that are installed, and says which are not. `through` makes a tunnel to a server.
pub(crate) fn start(
    through: impl Fn(SocketAddr) -> io::Result<Service>,
) -> io::Result<Vec<Everyday>> {
    let mut all = Vec::new();
    if are_installed(&["ssh", "sshd", "ssh-keygen"]) {
        all.push(Everyday { name: "an idle ssh session", end: ssh(&through)? });
    }
    if are_installed(&["psql", "postgres", "initdb"]) {
        all.push(Everyday { name: "psql in a COPY", end: copy(&through)? });
    }
    if are_installed(&["mosquitto", "mosquitto_pub", "mosquitto_sub"]) {
        all.push(Everyday { name: "MQTT, QoS 2", end: mqtt(&through)? });
    }
    Ok(all)
}

type End = Box<dyn FnOnce() -> io::Result<String>>;
type Through<'a> = &'a dyn Fn(SocketAddr) -> io::Result<Service>;

fn ssh(through: Through<'_>) -> io::Result<End> {
    let scratch = Scratch::new()?;
    let path = scratch.directory().display().to_string();
    for key in ["host", "user"] {
        let mut keygen = clean("ssh-keygen");
        succeed(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(scratch.path(key)))?;
    }
    // The system's own service would create it; whoever may not does not need it.
    let _ = fs::create_dir_all("/run/sshd");
    let address = free_address()?;
    let config = format!(
        "ListenAddress {address}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    );
    let config = scratch.write("config", &config)?;
    let mut sshd = clean(installed("sshd")?);
    let server = Process::start("sshd", sshd.args(["-D", "-e", "-f"]).arg(config))?;
    server.wait_for_line(0, "Server listening on", READY_WITHIN)?;
    let service = through(address)?;
    let mut ssh = clean("ssh");
    ssh.args(["-F", "none", "-i", &format!("{path}/user"), "-p"]);
    ssh.arg(service.inlet.port().to_string());
    for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"] {
        ssh.args(["-o", option]);
    }
    let mut client = Client::start(ssh.args(["127.0.0.1", "cat"]))?;
    client.says("hello\n")?;
    client.answers("hello\n")?;
    Ok(Box::new(move || {
        let _all = (scratch, server, service);
        client.says("still there?\n")?;
        client.answers("still there?\n")?;
        client.end()?;
        Ok("answers".to_owned())
    }))
}

fn copy(through: Through<'_>) -> io::Result<End> {
    let scratch = Scratch::new()?;
    let owner = if is_root() { "postgres" } else { "" };
    if is_root() {
        succeed(clean("chown").arg(owner).arg(scratch.directory()))?;
    }
    let data = scratch.path("data").display().to_string();
    let initdb = ["-A", "trust", "-U", "postgres", "--no-sync", "-D", &data];
    succeed(as_user(owner, &installed("initdb")?).args(initdb))?;
    let address = free_address()?;
    let mut postgres = as_user(owner, &installed("postgres")?);
    postgres.args(["-D", &data, "-h", "127.0.0.1", "-p", &address.port().to_string(), "-k", ""]);
    let server = Process::start_group("postgres", &mut postgres)?;
    server.wait_for_line(0, "ready to accept connections", READY_WITHIN)?;
    let psql = move |to: SocketAddr, statement: &str| {
        let mut psql = clean("psql");
        psql.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &to.port().to_string()]);
        psql.args(["-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        psql
    };
    succeed(&mut psql(address, "create table rows (number bigint)"))?;
    let service = through(address)?;
    let mut client = Client::start(&mut psql(service.inlet, "copy rows from stdin"))?;
    let rows = client.keeps_saying(|number| {
        (100 * number..100 * (number + 1)).map(|row| format!("{row}\n")).collect()
    });
    Ok(Box::new(move || {
        let _all = (scratch, server, service);
        let sent = 100 * rows.end()?;
        client.end()?;
        let count = succeed(&mut psql(address, "select count(*), sum(number) from rows"))?;
        same(count.trim(), &format!("{sent}|{}", sent * (sent.max(1) - 1) / 2))?;
        Ok(format!("{sent} rows"))
    }))
}

fn mqtt(through: Through<'_>) -> io::Result<End> {
    let scratch = Scratch::new()?;
    let address = free_address()?;
    let config = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_type all\n",
        address.port()
    );
    let config = scratch.write("config", &config)?;
    // It reads the file as a user of its own.
    let mut mosquitto = clean(installed("mosquitto")?);
    if is_root() {
        succeed(clean("chmod").arg("755").arg(scratch.directory()))?;
    }
    let server = Process::start("mosquitto", mosquitto.arg("-c").arg(config))?;
    server.wait_for_line(0, "running", READY_WITHIN)?;
    let service = through(address)?;
    let client = |program: &str, id: &str| {
        // Otherwise it would keep its lines until there are many.
        let mut client = clean("stdbuf");
        client.args(["-oL", program, "-h", "127.0.0.1", "-p", &service.inlet.port().to_string()]);
        client.args(["-q", "2", "-i", id, "-t", "topic"]);
        client
    };
    let mut subscriber = Client::start(client("mosquitto_sub", "subscriber").arg("-c"))?;
    server.wait_for_line(0, "Sending SUBACK to subscriber", READY_WITHIN)?;
    let mut publisher = Client::start(client("mosquitto_pub", "publisher").arg("-l"))?;
    let published = publisher.keeps_saying(|number| format!("{number}\n"));
    let received = subscriber.collects();
    Ok(Box::new(move || {
        let _all = (scratch, service, subscriber);
        let sent = published.end()?;
        publisher.end()?;
        let count = || received.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        wait_for("all messages", PATIENCE, || match count() {
            now if now >= sent => Ok(()),
            now => Err(format!("{now} of {sent}")),
        })?;
        let received = received.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let in_order = (0..sent).map(|number| number.to_string());
        match received.iter().cloned().eq(in_order) {
            true => {}
            false => return Err(io::Error::other("messages lost, doubled or out of order")),
        }
        let connects = server.lines().into_iter();
        let connects = connects.filter(|line| line.text.contains("New client connected")).count();
        same(&connects.to_string(), "2")?;
        Ok(format!("{sent} messages"))
    }))
}

/// A client program, killed when it is dropped.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
}

impl Client {
    fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn()?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    fn says(&mut self, text: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(text.as_bytes())?;
        input.flush()
    }

    fn answers(&mut self, text: &str) -> io::Result<()> {
        let mut answer = vec![0; text.len()];
        self.child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.read_exact(&mut answer)?;
        same(&String::from_utf8_lossy(&answer), text)
    }

    /// Says one text after the other, with pauses, on a thread of its own.
    fn keeps_saying(&mut self, text: impl Fn(u64) -> String + Send + 'static) -> Saying {
        let (input, is_over) = (self.input.take(), Arc::new(AtomicBool::new(false)));
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            let mut input = input.ok_or(io::ErrorKind::BrokenPipe)?;
            let mut number = 0;
            while !over.load(Relaxed) {
                input.write_all(text(number).as_bytes())?;
                number += 1;
                thread::sleep(SENDS_EVERY);
            }
            Ok(number)
        });
        Saying { is_over, thread }
    }

    /// The lines that it writes from now on.
    fn collects(&mut self) -> Arc<Mutex<Vec<String>>> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let (collected, output) = (all.clone(), self.child.stdout.take());
        thread::spawn(move || {
            let lines = output.map(BufReader::new).into_iter().flat_map(BufRead::lines);
            for line in lines.map_while(Result::ok) {
                collected.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        all
    }

    /// Ends its input, and waits until it has ended well.
    fn end(&mut self) -> io::Result<()> {
        self.input = None;
        let status = wait_for("its end", PATIENCE, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })?;
        let mut said = String::new();
        self.child.stderr.as_mut().map_or(Ok(0), |errors| errors.read_to_string(&mut said))?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("{status}: {}", said.trim()))),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that says something again and again.
struct Saying {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Saying {
    /// Ends it, and the client's input with it; returns how many texts there were.
    fn end(self) -> io::Result<u64> {
        self.is_over.store(true, Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }
}

/// Whether all of them are installed; prints which are not.
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| installed(program).is_err()).collect();
    if !missing.is_empty() {
        eprintln!("skipped: not installed: {missing:?}");
    }
    missing.is_empty()
}

/// A program as this user, by its name, or as the present one if that is empty.
fn as_user(user: &str, program: &Path) -> Command {
    if user.is_empty() {
        return clean(program);
    }
    let mut command = clean("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs a command, which must succeed; returns what it wrote.
fn succeed(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(io::Error::other(format!("{command:?}: {}: {errors}", output.status))),
    }
}

fn same(found: &str, wanted: &str) -> io::Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(io::Error::other(format!("{found:?} instead of {wanted:?}"))),
    }
}

/// A free address, for a server that cannot choose a port itself.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())
}
