//! UDP in the commands of portals: its form of addresses, and how long flows last.

use std::time::Duration;

use clap::Args;
use ockam::IDLE_TIMEOUT;

use crate::command::resume_args::duration;

/// What an address of UDP begins with.
pub(crate) const UDP: &str = "udp://";

/// The option of every command that has an end of a portal.
#[derive(Args)]
pub(crate) struct UdpArguments {
    /// For udp:// alone: how long a client and its target keep the way to each other while nothing
    /// passes, such as 30s or 3m, or a number of seconds. For WireGuard, 3m.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
}

impl UdpArguments {
    /// The option for another command's line, with a space before it; empty if it is the default.
    pub(crate) fn unless_default(&self) -> String {
        match self.idle_timeout {
            IDLE_TIMEOUT => String::new(),
            limit => format!(" --idle-timeout {}s", limit.as_secs()),
        }
    }
}

/// The `host:port` of an address of UDP.
pub(crate) fn udp_address(text: &str) -> Option<&str> {
    text.strip_prefix(UDP)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        udp: UdpArguments,
    }

    #[test]
    fn the_default_is_that_of_the_library() {
        let Command { udp } = Command::try_parse_from(["command"]).unwrap();
        assert_eq!(udp.idle_timeout, IDLE_TIMEOUT);
        assert_eq!(udp.unless_default(), "");
        let Command { udp } = Command::try_parse_from(["command", "--idle-timeout=3m"]).unwrap();
        assert_eq!(udp.unless_default(), " --idle-timeout 180s");
    }

    #[test]
    fn addresses_of_udp_have_a_scheme() {
        assert_eq!(udp_address("udp://127.0.0.1:53"), Some("127.0.0.1:53"));
        assert_eq!(udp_address("127.0.0.1:53"), None);
    }
}
