//! The hub that an outlet is reached through.

use std::env;

use ockam::{Error, Result};

use crate::command::node_address::NodeAddress;

/// The variable of the environment that names the hub.
const HUB: &str = "OCKAM_HUB";

/// The hubs that were given by `--via`, or else in the environment.
///
/// # Errors
/// If there are none or too many, or the variable is malformed. `instead` says what else could be
/// given.
pub(crate) fn hubs(via: Vec<NodeAddress>, instead: &str) -> Result<Vec<NodeAddress>> {
    let hubs = match via.is_empty() {
        true => from_environment(instead)?,
        false => via,
    };
    let checked = NodeAddress::any_of(&hubs).validate();
    checked.map_err(|error| Error::Usage(format!("the hubs cannot be used: {error}")))?;
    Ok(hubs)
}

fn from_environment(instead: &str) -> Result<Vec<NodeAddress>> {
    let missing = format!("say {instead}--via HUB, for which {HUB} in the environment stands too");
    let given = env::var(HUB).map_err(|_| Error::Usage(missing))?;
    let parse = |text: &str| {
        let parsed = text.parse::<NodeAddress>();
        parsed.map_err(|error| Error::Usage(format!("\"{text}\" in {HUB}: {error}")))
    };
    given.split(',').map(parse).collect()
}
