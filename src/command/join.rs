//! `ockam join`: takes an invitation of `ockam invite`.

use std::{
    borrow::Cow,
    io::{self, Read},
    time::Duration,
};

use actix_rt::time::sleep;
use clap::Args;
use ockam::{
    ChannelLimits, Context, Entity, Error, Invitation, Place, Result, SecureChannelOptions,
    SecureChannels, TrustIdentifierPolicy,
};
use tokio::time::Instant;

use crate::command::{
    dial_args::DialArguments,
    inlet::{self, inlet_options},
    node_address::NodeAddress,
    output::say,
    transports::Transports,
    vault::VaultArguments,
};

/// How long an outlet may refuse an identity that it is writing down.
const ADMISSION: Duration = Duration::from_secs(6);

/// How long to look for the outlet.
const REACHED: Duration = Duration::from_secs(15);

/// How long to try before the outlet's answer is looked at.
const ASKED: Duration = Duration::from_secs(3);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Bytes of the longest invitation on standard input.
const MAX_TEXT: u64 = 4 * 1024;

/// Take an invitation: have an outlet trust this machine, and print the inlet for it.
///
/// Creates the identity and the vault if there are none. If it is interrupted, run it again.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam join STRING
  ockam join STRING --key-file ~/.ockam/key --start --listen 127.0.0.1:5432
  ssh outlet ockam invite --trust-file trusted | ockam join -")]
pub(crate) struct Arguments {
    /// What `ockam invite` has printed; - reads it from the standard input, as other users of the
    /// machine see arguments.
    #[arg(value_name = "STRING")]
    invitation: String,

    /// Identity of the vault that joins, created if it is missing.
    #[arg(long, value_name = "NAME", default_value = "me")]
    identity: String,

    #[command(flatten)]
    vault: VaultArguments,

    /// Start the inlet, too, and keep it running.
    #[arg(long)]
    start: bool,

    /// Address of the inlet, as in "ockam inlet --listen"; by default 127.0.0.1:4001, or port 1080
    /// where clients name their servers by SOCKS5.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    #[command(flatten)]
    dial: DialArguments,
}

/// Joins, and starts the inlet or stops the node.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    let invitation = arguments.invitation()?;
    let outlet = invitation.service.identifier();
    let mut entity = arguments.entity(&ctx).await?;
    say!("identity {}  {}", entity.identifier(), arguments.identity);
    let transports = Transports::create(&ctx, &arguments.dial).await?;
    be_admitted(&mut entity, &invitation).await?;
    say!("joined: the outlet of {outlet} trusts this identity from now on");
    let inlet = arguments.inlet(&invitation);
    if !arguments.start {
        say!("start an inlet for it with:");
        let words: Vec<_> = inlet.iter().map(|word| quoted(word)).collect();
        say!("ockam inlet {}", words.join(" "));
        ctx.stop().await?;
        return Ok(());
    }
    inlet::start(&transports, entity.with_limits(ChannelLimits::default()), &inlet).await
}

/// Opens a channel with the outlet, which is what shows that it trusts this identity.
async fn be_admitted(entity: &mut Entity, invitation: &Invitation) -> Result<()> {
    let outlet = invitation.service.identifier();
    let options = SecureChannelOptions::to(invitation.route()).invited_by(invitation);
    let policy = TrustIdentifierPolicy::new(outlet);
    let channel = entity.create_secure_channel(options, policy)?;
    let since = Instant::now();
    let joined = loop {
        match channel.established_within(ASKED).await {
            Ok(_) => break Ok(()),
            Err(Error::Peer { .. }) if since.elapsed() < ADMISSION => sleep(PAUSE).await,
            Err(error @ Error::Peer { .. }) => {
                break Err(Error::Usage(format!(
                    "the outlet does not trust this identity: another one has used the \
                     invitation, or its trust file cannot be written, as its log says; ask for \
                     another invitation ({})",
                    error.one_line()
                )))
            }
            Err(error) => {
                let why = error.one_line();
                // It looks for new invitations several times a second.
                if let Some(refusal) = channel.invitation_refusal() {
                    break Err(Error::Usage(format!("{refusal}; ask for another invitation")));
                }
                if since.elapsed() >= REACHED {
                    break Err(Error::Usage(format!("the outlet was not reached: {why}")));
                }
            }
        }
    };
    channel.close();
    joined
}

impl Arguments {
    fn invitation(&self) -> Result<Invitation> {
        let mut text = self.invitation.clone();
        if text == "-" {
            text.clear();
            let read = io::stdin().take(MAX_TEXT).read_to_string(&mut text);
            read.map_err(|source| Error::transport("cannot read the invitation", source))?;
        }
        let invitation: Invitation = text.parse().map_err(|error| Error::Other(Box::new(error)))?;
        match invitation.has_expired() {
            true => Err(Error::Usage(
                "the invitation has expired: ask for another one, and use it in time; or set the \
                 clock of this machine"
                    .into(),
            )),
            false => Ok(invitation),
        }
    }

    async fn entity(&self, ctx: &Context) -> Result<Entity> {
        let arguments = self.vault.clone();
        // A passphrase is slow on purpose, and a person typing one is slower.
        let opening = actix_rt::task::spawn_blocking(move || arguments.open_or_create());
        let vault = opening.await.map_err(|error| Error::Bug(error.to_string()))??;
        // It tries again quickly, as an outlet refuses it at first.
        let limits = ChannelLimits {
            first_refusal_pause: PAUSE,
            longest_refusal_pause: PAUSE,
            ..ChannelLimits::default()
        };
        Ok(Entity::open_or_create(ctx, &vault, &self.identity)?.with_limits(limits))
    }

    /// The options of the inlet.
    fn inlet(&self, invitation: &Invitation) -> Vec<String> {
        let Invitation { service, place, clients, .. } = invitation;
        let mut options = inlet_options(*clients, self.listen.as_deref());
        match place {
            Place::Hub(hub) => {
                let hubs = NodeAddress::all_in(hub);
                options.extend(["--to".into(), service.to_string(), "--via".into(), hubs]);
            }
            Place::Node(_) => {
                let route = place.route_to(service);
                let addresses: Vec<_> = route.iter().map(ToString::to_string).collect();
                let pinned = service.identifier().to_string();
                options.extend(["--route".into(), addresses.join(",,"), "--trust".into(), pinned]);
            }
        }
        options.extend(["--identity".into(), self.identity.clone()]);
        options.extend(self.vault.words());
        options.extend(self.dial.words());
        options
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_#".contains(&byte);
    match !word.is_empty() && !word.starts_with('#') && word.bytes().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_read_words_back() {
        for word in ["", "/a b/key", "it's", "$HOME", "#x", "a*", "~/key", "tcp#h:1,,b", "a\\b"] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{script}");
        }
        assert_eq!(quoted("tcp#hub:4000,,listener"), "tcp#hub:4000,,listener");
    }
}
