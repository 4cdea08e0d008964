//! NATS as the bus of a cluster of hubs.
//!
//! All hubs subscribe to one subject, `ockam.NAME.hubs`, and each question is published there, with
//! a subject below the hub's own inbox to answer to. Core NATS is enough: nothing is kept in it, so
//! its servers may be restarted at any time, and the client connects again by itself. Who may use
//! the subject is a matter of the server's accounts.

use std::{
    fmt,
    future::{ready, Future},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_nats::{connection::State, Client, ConnectOptions, Event, Message, ServerAddr, Subject};
use bytes::Bytes;
use futures::StreamExt;
use ockam_actix_runtime::{lock::Lock, Error, Result};
use tokio::{runtime::Handle, task::JoinSet};

use crate::cluster::{
    nats::{
        outbox::{Outbox, CLIENT_CAPACITY},
        questions::Questions,
    },
    Accept, Bus, Receive,
};

mod outbox;
mod questions;
#[cfg(test)]
mod tests;

/// The longest name of a cluster, in characters.
const MAX_NAME: usize = 64;

/// Different failures of one outage that are logged.
const MAX_SAID: usize = 8;

/// The first and the longest pause between attempts to connect, which hubs of a cluster that starts
/// may have to wait for before they find each other's forwarders.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How often a server is asked whether it is there; another one is used after three such times
/// without an answer.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Where NATS is, and which cluster of hubs on it is meant.
///
/// ```
/// use ockam::cluster::NatsOptions;
///
/// let options = NatsOptions::new("nats://a:4222,nats://b:4222").name("offices");
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct NatsOptions {
    servers: String,
    name: String,
    authority: Option<PathBuf>,
}

impl NatsOptions {
    /// The cluster `ockam` on these servers, as URLs with commas between them, such as
    /// `nats://a:4222` or `tls://user:password@a:4222`. What is not a letter or a digit in a
    /// password can be written as in all URLs, such as `%40`.
    pub fn new(servers: impl Into<String>) -> Self {
        let (servers, name) = (servers.into(), "ockam".to_owned());
        Self { servers, name, authority: None }
    }

    /// Another cluster: 1 to 64 letters, digits, `-` and `_`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A file with certificates of authorities, which the servers are checked against instead of
    /// those of the system.
    #[must_use]
    pub fn authority(mut self, file: impl Into<PathBuf>) -> Self {
        self.authority = Some(file.into());
        self
    }

    /// Checks what needs no connection.
    ///
    /// # Errors
    /// If one of the servers has no address that can be used, or the name is none of a cluster.
    pub fn check(&self) -> Result<()> {
        self.subject().and(self.addresses()).map(drop)
    }

    fn subject(&self) -> Result<Subject> {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let name = &self.name;
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_named) {
            return Err(Error::Usage(format!(
                "\"{name}\" is no name of a cluster: expected 1 to {MAX_NAME} letters, digits, \"-\" \
                 and \"_\""
            )));
        }
        Ok(format!("ockam.{name}.hubs").into())
    }

    fn addresses(&self) -> Result<Vec<ServerAddr>> {
        let parse = |text: &str| {
            text.trim().parse::<ServerAddr>().map_err(|error| {
                // What was given may contain a password.
                Error::Usage(format!(
                    "one of the NATS servers has no address that can be used: {error}; expected \
                     nats://host:4222, several with commas between them"
                ))
            })
        };
        self.servers.split(',').map(parse).collect()
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A connection to NATS, for a hub of a cluster.
pub struct NatsBus {
    client: Client,
    outbox: Outbox,
    subject: Subject,
    /// Answers come to subjects below it.
    inbox: String,
    questions: Arc<Questions>,
    /// The thread that connected, for tasks of those that are on others.
    runtime: Handle,
    /// They end with this, and the connection with them.
    tasks: Lock<JoinSet<()>>,
}

impl NatsBus {
    /// Connects, and connects again whenever that is needed: it does not wait for a server.
    ///
    /// # Errors
    /// If the options are wrong.
    pub async fn connect(options: NatsOptions) -> Result<Self> {
        let (subject, servers) = (options.subject()?, options.addresses()?);
        // A hub does not hear itself.
        let mut nats = ConnectOptions::new().no_echo().retry_on_initial_connect();
        nats = nats.reconnect_delay_callback(pause_before).ping_interval(PING_INTERVAL);
        let said = Arc::<Said>::default();
        nats =
            nats.name("ockam hub").client_capacity(CLIENT_CAPACITY).event_callback(move |event| {
                said.log(&event);
                ready(())
            });
        // The client uses them of no URL by itself; all servers of a cluster have the same users.
        if let Some((user, password)) = servers.iter().find_map(user_of) {
            nats = match password {
                Some(password) => nats.user_and_password(user, password),
                None => nats.token(user),
            };
        }
        if let Some(file) = &options.authority {
            nats = nats.add_root_certificates(file.clone());
        }
        let client = nats.connect(servers).await;
        let client = client.map_err(|error| Error::Usage(format!("cannot use NATS: {error}")))?;
        let (inbox, questions) = (client.new_inbox(), Arc::default());
        let ((outbox, outgoings), runtime) = (Outbox::new(), Handle::current());
        let mut tasks = JoinSet::new();
        tasks.spawn_on(outgoings.hand_to(client.clone()), &runtime);
        let tasks = Lock::new(tasks);
        Ok(Self { client, outbox, subject, inbox, questions, runtime, tasks })
    }
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsBus").field(&self.subject.as_str()).finish()
    }
}

/// The pause before the attempt with this number to connect.
fn pause_before(attempt: usize) -> Duration {
    match attempt {
        0 | 1 => Duration::ZERO,
        2..8 => LONGEST_PAUSE.min(FIRST_PAUSE * (1 << (attempt - 2))),
        _ => LONGEST_PAUSE,
    }
}

/// The user in a server's URL and the password, or a token alone.
fn user_of(server: &ServerAddr) -> Option<(String, Option<String>)> {
    Some((decoded(server.username()?), server.password().map(decoded)))
}

/// A part of a URL without its percent signs, where those stand for bytes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What was logged of attempts that failed, so that each failure is said once in an outage.
#[derive(Default)]
struct Said(Lock<Vec<String>>);

impl Said {
    fn log(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.0.lock().clear();
                log::info!("connected to NATS");
            }
            Event::Disconnected => log::warn!(
                "the connection to NATS was lost: forwarders of other hubs that are not in use are \
                 not found until it is back"
            ),
            Event::ServerError(error) => self.once(format!("NATS says: {error}")),
            Event::ClientError(error) => {
                self.once(format!("cannot connect to NATS: {error}; trying again"));
            }
            other => log::debug!("NATS: {other}"),
        }
    }

    fn once(&self, text: String) {
        let mut said = self.0.lock();
        match said.contains(&text) || said.len() >= MAX_SAID {
            true => log::debug!("{text}"),
            false => {
                log::warn!("{text}");
                said.push(text);
            }
        }
    }
}

impl NatsBus {
    /// Hands what comes to `subject` to `handle`, from now on.
    fn follow(&self, subject: Subject, handle: impl Fn(&Client, Message) + Send + 'static) {
        let client = self.client.clone();
        let follow = async move {
            let mut messages = match client.subscribe(subject).await {
                Ok(messages) => messages,
                Err(error) => return log::error!("no other hub is heard on NATS: {error}"),
            };
            while let Some(message) = messages.next().await {
                handle(&client, message);
            }
        };
        self.tasks.lock().spawn_on(follow, &self.runtime);
    }
}

/// Whether a message is sent: it is dropped while there is no connection, or too much waits for it.
fn send(
    client: &Client,
    outbox: &Outbox,
    subject: Subject,
    reply: Option<Subject>,
    message: Bytes,
) -> bool {
    client.connection_state() == State::Connected && outbox.put(subject, reply, message)
}

impl Bus for NatsBus {
    fn listen(&self, receive: Receive) {
        let outbox = self.outbox.clone();
        self.follow(self.subject.clone(), move |client, message| {
            if let (Some(answer), Some(asking)) = (receive(message.payload), message.reply) {
                send(client, &outbox, asking, None, answer);
            }
        });
        let questions = self.questions.clone();
        self.follow(format!("{}.*", self.inbox).into(), move |_, message| {
            match message.status {
                // NATS itself says that nobody hears the question.
                Some(_) => questions.nobody(&message.subject),
                None => questions.answered(&message.subject, message.payload),
            }
        });
    }

    fn publish(&self, message: Bytes) {
        send(&self.client, &self.outbox, self.subject.clone(), None, message);
    }

    fn ask(
        &self,
        message: Bytes,
        accept: Accept,
    ) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        let asked = self.questions.ask(accept);
        let reply = Some(format!("{}.{}", self.inbox, asked.number()).into());
        match send(&self.client, &self.outbox, self.subject.clone(), reply, message) {
            true => Box::pin(asked.answer()),
            false => Box::pin(ready(None)),
        }
    }
}
