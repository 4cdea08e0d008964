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
};

use async_nats::{connection::State, Client, ConnectOptions, Event, Message, ServerAddr, Subject};
use bytes::Bytes;
use futures::StreamExt;
use ockam_actix_runtime::{lock::Lock, Error, Result};
use tokio::runtime::Handle;

use crate::cluster::{nats::questions::Questions, Accept, Bus, Receive};

mod questions;

/// The longest name of a cluster, in characters.
const MAX_NAME: usize = 64;

/// Different failures of one outage that are logged.
const MAX_SAID: usize = 8;

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
    subject: Subject,
    /// Answers come to subjects below it.
    inbox: String,
    questions: Arc<Questions>,
    /// The thread that connected, for tasks of those that are on others.
    runtime: Handle,
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
        let said = Arc::<Said>::default();
        nats = nats.name("ockam hub").event_callback(move |event| {
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
        Ok(Self { client, subject, inbox, questions, runtime: Handle::current() })
    }
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsBus").field(&self.subject.as_str()).finish()
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
        self.runtime.spawn(async move {
            let mut messages = match client.subscribe(subject).await {
                Ok(messages) => messages,
                Err(error) => return log::error!("no other hub is heard on NATS: {error}"),
            };
            while let Some(message) = messages.next().await {
                handle(&client, message);
            }
        });
    }

    /// Publishes a message, or drops it while there is no connection: nothing piles up meanwhile.
    fn send(&self, subject: Subject, reply: Option<Subject>, message: Bytes) {
        send(&self.runtime, &self.client, subject, reply, message);
    }
}

fn send(
    runtime: &Handle,
    client: &Client,
    subject: Subject,
    reply: Option<Subject>,
    message: Bytes,
) {
    if client.connection_state() != State::Connected {
        return;
    }
    let client = client.clone();
    runtime.spawn(async move {
        // An error says that the client has ended, and so has the hub.
        let _ = match reply {
            Some(reply) => client.publish_with_reply(subject, reply, message).await,
            None => client.publish(subject, message).await,
        };
    });
}

impl Bus for NatsBus {
    fn listen(&self, receive: Receive) {
        let runtime = self.runtime.clone();
        self.follow(self.subject.clone(), move |client, message| {
            if let (Some(answer), Some(asking)) = (receive(message.payload), message.reply) {
                send(&runtime, client, asking, None, answer);
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
        self.send(self.subject.clone(), None, message);
    }

    fn ask(
        &self,
        message: Bytes,
        accept: Accept,
    ) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        let asked = self.questions.ask(accept);
        let reply = format!("{}.{}", self.inbox, asked.number());
        self.send(self.subject.clone(), Some(reply.into()), message);
        Box::pin(asked.answer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_servers_are_checked() {
        let options = NatsOptions::new("nats://a:4222, nats://user:secret@b");
        assert_eq!(options.subject().unwrap().as_str(), "ockam.ockam.hubs");
        let servers = options.addresses().unwrap();
        let users: Vec<_> = servers.iter().map(user_of).collect();
        assert_eq!(users, [None, Some(("user".into(), Some("secret".into())))]);
        let encoded = NatsOptions::new("nats://us%3Aer:p%40ss%2fw%25%zz@a").addresses().unwrap();
        assert_eq!(user_of(&encoded[0]), Some(("us:er".into(), Some("p@ss/w%%zz".into()))));
        for name in ["", "a.b", "a b", "*", &"x".repeat(65)] {
            let error = options.clone().name(name).subject().unwrap_err();
            assert!(error.to_string().contains("is no name of a cluster"), "{error}");
        }
        let error = NatsOptions::new("nats://user:secret@:x").addresses().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn each_failure_is_said_once() {
        let said = Said::default();
        (0..100).for_each(|_| said.once("wrong password".into()));
        assert_eq!(said.0.lock().len(), 1);
        (0..100).for_each(|number| said.once(format!("failure {number}")));
        assert_eq!(said.0.lock().len(), MAX_SAID);
        said.log(&Event::Connected);
        assert!(said.0.lock().is_empty());
    }
}
