//! How a command's node connects to others.

use clap::{builder::RangedU64ValueParser, Args};
use ockam::{Proxies, Result};
use ockam_actix_transports::limits::MAX_PARTS;

use crate::command::tls_args::AuthorityArguments;

/// The options of every command whose node connects to others.
#[derive(Args)]
#[command(next_help_heading = "Connections with other nodes")]
pub(crate) struct DialArguments {
    /// Use so many TCP connections to each node instead of one, up to 16: for paths that are longer
    /// than one connection can fill, with a round trip above some 20 ms and more than 30 MB/s.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    pub(crate) connections: usize,

    #[command(flatten)]
    pub(crate) authorities: AuthorityArguments,
}

fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=MAX_PARTS as u64)
}

impl DialArguments {
    /// Checks what the environment says of proxies.
    ///
    /// # Errors
    /// If it says what is no proxy.
    pub(crate) fn check(&self) -> Result<()> {
        Proxies::from_environment().map(drop)
    }

    /// Reads the file of authorities, if one is given.
    ///
    /// # Errors
    /// If it has none.
    pub(crate) fn probe(&self) -> Result<()> {
        self.authorities.authorities().map(drop)
    }

    /// The words of a command line that say the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let connections = match self.connections {
            1 => Vec::new(),
            number => vec!["--connections".to_owned(), number.to_string()],
        };
        connections.into_iter().chain(self.authorities.words()).collect()
    }
}
