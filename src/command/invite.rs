//! `ockam invite`: one string with which another machine joins an outlet of this one.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ockam::{Error, InvitationFile, Result};

use crate::command::{
    elsewhere::is_placeholder,
    node_address::NodeAddress,
    output::{counted, say},
    resume_args::duration,
};

/// Invite another machine to an outlet that runs here with a trust file.
///
/// Prints one string for `ockam join` there, which is good for one identity, once. Whoever has it
/// first is trusted: send it by a way that others do not read.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam invite --trust-file /etc/ockam/trusted --name laptop
  ockam invite --trust-file /etc/ockam/trusted --name laptop \\
    --for 10m --service web
  ockam invite --trust-file /etc/ockam/trusted --withdraw")]
pub(crate) struct Arguments {
    /// Trust file of the outlet, which writes the identity of the other machine into it.
    ///
    /// Invitations are kept beside it, in FILE.invitations. Run this as the outlet's user.
    #[arg(long, value_name = "FILE")]
    trust_file: PathBuf,

    /// Name of the other machine in the trust file; with a number if it is in use.
    #[arg(long, value_name = "NAME", default_value = "invited")]
    name: String,

    /// How long the invitation is good, such as 10m or 24h; a week at most.
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    lasting: Duration,

    /// Service of the outlet, where several have this trust file.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Where the other machine reaches the hub, or the outlet if it has none, if that is another
    /// address than the outlet knows.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    at: Vec<NodeAddress>,

    /// Withdraw the invitations that nobody has used, instead.
    #[arg(long, conflicts_with_all = ["name", "lasting", "service", "at"])]
    withdraw: bool,
}

/// Carries out the command.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let failed = |error| Error::Other(Box::new(error));
    let file = InvitationFile::beside(&arguments.trust_file).map_err(failed)?;
    if arguments.withdraw {
        say!("withdrawn: {}", counted(file.withdraw().map_err(failed)?, "invitation"));
        return Ok(());
    }
    let Arguments { name, lasting, service, at, .. } = arguments;
    let mut outlet = file.outlet(service.as_deref()).map_err(failed)?;
    if !at.is_empty() {
        outlet.place = outlet.place.at(NodeAddress::any_of(at));
    }
    // Before it is written down: an invitation that nobody can use must not count.
    if is_placeholder(outlet.place.address().as_str()) {
        return Err(Error::Usage(
            "the name of this machine is not known to others: say with --at HOST:PORT where the \
             outlet is reached"
                .into(),
        ));
    }
    let invitation = file.invite(outlet, name, *lasting).map_err(failed)?;
    say!("{invitation}");
    let minutes = usize::try_from(lasting.as_secs().div_ceil(60)).unwrap_or(usize::MAX);
    log::info!(
        "good once, for {}: run \"ockam join\" with it on the other machine",
        counted(minutes, "minute")
    );
    Ok(())
}
