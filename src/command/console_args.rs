//! The console of a command's node.

use actix_web::dev::ServerHandle;
use clap::Args;
use ockam::{console::Console, Context, Error, Result};
use ockam_actix_transports::peer;

use crate::command::{doubts::Doubts, output::say};

/// The port of the console, where none is given.
pub(crate) const PORT: u16 = 4090;

/// Where the console is, without a host in the option.
pub(crate) const HOST: &str = "127.0.0.1";

/// The options of every command that runs a node.
#[derive(Args)]
#[command(next_help_heading = "Console")]
pub(crate) struct ConsoleArguments {
    /// Address for the console, as host:port or a port of this machine alone: a page that shows
    /// what the node does, `/metrics` for Prometheus, and `/api/v1/` for `ockam status`.
    ///
    /// Everybody who reaches the address sees it, and nobody can change anything there.
    #[arg(long, value_name = "ADDR", value_parser = checked)]
    pub(crate) console: Option<String>,

    /// Name by which the console is asked for, if that is not localhost or an address; several with
    /// commas between them.
    #[arg(long, value_name = "NAME", requires = "console", value_delimiter = ',')]
    pub(crate) console_host: Vec<String>,
}

impl ConsoleArguments {
    /// Looks for the host that it is to be on.
    ///
    /// # Errors
    /// Those of [`Doubts::clients`].
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        self.console.as_ref().map_or(Ok(()), |listen| doubts.clients(listen))
    }

    /// Starts the console, if there is to be one.
    pub(crate) fn start(&self, ctx: &Context) -> Result<()> {
        match &self.console {
            Some(listen) => start(Console::new(ctx), listen, &self.console_host).map(drop),
            None => Ok(()),
        }
    }
}

/// Starts a console on `listen`, which is asked for by its addresses and by these names. It ends
/// with the program, or when the server is stopped.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) fn start(console: Console, listen: &str, names: &[String]) -> Result<ServerHandle> {
    let console = names.iter().fold(console, Console::host);
    let (bound, server) = console.serve(listen).map_err(|source| {
        Error::transport(format!("cannot have the console listen on {listen}"), source)
    })?;
    for address in &bound {
        say!("console on http://{address}/");
        if !address.ip().is_loopback() {
            log::warn!(
                "whoever reaches {address} sees what this node does: listen on a loopback address, \
                 behind a server that asks who it is"
            );
        }
    }
    let handle = server.handle();
    actix_rt::spawn(async {
        if let Err(error) = server.await {
            log::error!("the console has ended: {error}");
        }
    });
    Ok(handle)
}

/// The address that is meant, if it can be one.
///
/// # Errors
/// The text of what is wrong.
pub(crate) fn checked(given: &str) -> std::result::Result<String, String> {
    let address = address(given);
    peer::parse(&address).map_err(|error| error.one_line())?;
    Ok(address)
}

/// The address that is meant: without a host one of this machine alone.
pub(crate) fn address(given: &str) -> String {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match given.rsplit_once(':') {
        Some(("", port)) => format!("{HOST}:{port}"),
        None if is_port(given) => format!("{HOST}:{given}"),
        None => format!("{given}:{PORT}"),
        Some(_) => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_host_are_of_loopback() {
        for (given, meant) in [
            ("4090", "127.0.0.1:4090"),
            (":0", "127.0.0.1:0"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost", "localhost:4090"),
        ] {
            assert_eq!(address(given), meant);
            assert_eq!(checked(given), Ok(meant.into()));
        }
        assert!(checked("a:b:c").is_err());
    }
}
