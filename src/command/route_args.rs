//! The route to an outlet's node, which may carry the secret of a forwarding address: as an
//! argument, or where other users of the machine do not see it.

use std::{env, fs, io::Read, path::PathBuf};

use clap::Args;
use ockam::{Error, Result, Route};

use crate::command::{node_address::NodeAddress, CHANNEL_LISTENER};

/// The variable of the environment that holds the route.
const VARIABLE: &str = "OCKAM_ROUTE";

/// What stands for the standard input instead of a file.
pub(crate) const STANDARD_INPUT: &str = "-";

/// Bytes of the longest route: sixteen addresses and what is between them.
const MAX_ROUTE: u64 = 8 * 1024;

/// What an inlet may be given instead of a route.
const INSTEAD: &str = "; or name the outlet: --to ID/SERVICE --via HUB";

/// The options of a command that is given a route.
#[derive(Args)]
pub(crate) struct RouteArguments {
    /// Route to the outlet's node: addresses with => between them, in quotes; or with two commas
    /// between them and no quotes, as in tcp#hub:4000,,ADDRESS.
    ///
    /// Other users of the machine see it. Without this option and --route-file, the route is taken
    /// from the environment, OCKAM_ROUTE.
    #[arg(long, value_name = "ROUTE", conflicts_with = "route_file")]
    route: Option<String>,

    /// File with the route; - means the standard input.
    #[arg(long, value_name = "FILE")]
    route_file: Option<PathBuf>,
}

impl RouteArguments {
    /// The route that was given. It can be asked for once, as a file need not last.
    ///
    /// # Errors
    /// If none was given, it is malformed, or it begins with no node that can be connected to. No
    /// error shows a secret in it.
    pub(crate) fn route(self) -> Result<Route> {
        let route = given(self.route.as_deref(), self.route_file.as_ref(), "--route", INSTEAD)?;
        route.first().map_or(Ok(()), NodeAddress::check_dialled)?;
        match route.last() {
            Some(last) if last.dial_parts().is_some() => Err(Error::Usage(format!(
                "the route ends at the node {last}, and not at a worker there: did you mean \
                 '{route} => {CHANNEL_LISTENER}', or the route that \"ockam outlet\" printed, whose \
                 part after => is missing? Without quotes a shell takes it away: write ,, for =>"
            ))),
            _ => Ok(route),
        }
    }
}

/// The same where the route is an argument without an option.
#[derive(Args)]
pub(crate) struct RouteArgument {
    /// Route to the outlet's node: addresses with => between them.
    ///
    /// Other users of the machine see it. Without it and --route-file, the route is taken from the
    /// environment, OCKAM_ROUTE.
    #[arg(value_name = "ROUTE", conflicts_with = "route_file")]
    route: Option<String>,

    /// File with the route; - means the standard input.
    #[arg(long, value_name = "FILE")]
    route_file: Option<PathBuf>,
}

impl RouteArgument {
    /// As [`RouteArguments::route`].
    pub(crate) fn route(&self) -> Result<Route> {
        given(self.route.as_deref(), self.route_file.as_ref(), "ROUTE", "")
    }
}

/// The route that was given by an argument called `name`, a file, or the environment. An error also
/// says what could be given `instead`.
fn given(route: Option<&str>, file: Option<&PathBuf>, name: &str, instead: &str) -> Result<Route> {
    let text = match (route, file) {
        (Some(route), _) => route.to_owned(),
        (None, Some(file)) => read(file)?,
        (None, None) => env::var(VARIABLE).map_err(|_| {
            Error::Usage(format!(
                "give the route that \"ockam outlet\" has printed, by {name}, --route-file or \
                 {VARIABLE}{instead}"
            ))
        })?,
    };
    let parsed = text.trim().parse();
    parsed.map_err(|error| Error::Usage(format!("the route is malformed: {error}")))
}

fn read(file: &PathBuf) -> Result<String> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some(STANDARD_INPUT) => std::io::stdin().take(MAX_ROUTE).read_to_string(&mut text),
        _ => fs::File::open(file).and_then(|file| file.take(MAX_ROUTE).read_to_string(&mut text)),
    };
    let name = || format!("cannot read the route from {}", file.display());
    read.map_err(|source| Error::transport(name(), source))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(route: Option<&str>, route_file: Option<PathBuf>) -> RouteArguments {
        RouteArguments { route: route.map(str::to_owned), route_file }
    }

    #[test]
    fn a_route_comes_from_a_file_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("route");
        fs::write(&file, "tcp#hub:4000 => listener\n").unwrap();
        let expected: Route = "tcp#hub:4000 => listener".parse().unwrap();
        assert_eq!(arguments(None, Some(file)).route().unwrap(), expected);
        assert_eq!(arguments(Some("tcp#hub:4000 => listener"), None).route().unwrap(), expected);
        assert!(arguments(None, Some(directory.path().join("none"))).route().is_err());
    }

    #[test]
    fn routes_that_end_at_nodes_are_explained() {
        let error = arguments(Some("tcp#hub:4000"), None).route().unwrap_err().to_string();
        assert!(error.contains("'tcp#hub:4000 => secure_channel_listener_service'"), "{error}");
        assert!(arguments(Some("tcp#hub:4000,,listener"), None).route().is_ok());
    }

    #[test]
    fn errors_show_no_secret_of_a_route() {
        let address = format!("F{}.I{}.S{}", "0".repeat(32), "1".repeat(64), "5e".repeat(32));
        for damaged in [format!("{address} x"), format!("tcp#hub:1 => {address}\u{7}")] {
            let error = arguments(Some(&damaged), None).route().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("5e5e"), "{error}");
        }
    }
}
