//! A line between the network of a test and a far one, which can be cut so that packets vanish
//! without a word, as they do when a cable is pulled somewhere in between.
//!
//! ```text
//! the test's network --- router --- far network        (the line)
//!          \________________________/                  (the lan)
//! ```
//!
//! Programs in the far network reach the test's network by the line; the test itself reaches them
//! by the lan, which is never cut. To be used within [`crate::network::in_own_network`]: all of it
//! ends with that network.

use std::{
    cell::Cell,
    net::Ipv4Addr,
    process::{Command, Output},
};

use crate::network::is_own;

/// The names of the two networks, which only the test's own processes see.
const ROUTER: &str = "router";
const FAR: &str = "far";

/// What the networks consist of: each line are the arguments of `ip`.
const LAYOUT: &str = "
netns add router
netns add far
link add near-line type veth peer name to-near netns router
link add to-far netns router type veth peer name far-line netns far
link add near-lan type veth peer name far-lan netns far
addr add 10.9.1.1/24 dev near-line
addr add 10.9.3.1/24 dev near-lan
link set near-line up
link set near-lan up
route add 10.9.2.0/24 via 10.9.1.2
-n router addr add 10.9.1.2/24 dev to-near
-n router addr add 10.9.2.1/24 dev to-far
-n router link set to-near up
-n router link set to-far up
-n far link set lo up
-n far addr add 10.9.3.2/24 dev far-lan
-n far link set far-line up
-n far link set far-lan up
";

/// The line.
#[derive(Debug)]
pub struct Wan {
    /// The last number of the far end's address.
    far_end: Cell<u8>,
}

impl Wan {
    /// The test's network, as seen from the far one, by the line.
    pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 1);

    /// The far network, as seen from the test's, by the lan.
    pub const FAR_LAN: Ipv4Addr = Ipv4Addr::new(10, 9, 3, 2);

    /// Makes the two networks and the line, which is up.
    ///
    /// # Errors
    /// Why this machine cannot do that, for the message of a test that is skipped.
    pub fn new() -> Result<Self, String> {
        if !is_own() {
            return Err("the test has no network of its own".to_owned());
        }
        for line in LAYOUT.lines().filter(|line| !line.is_empty()) {
            ip(line)?;
        }
        let wan = Self { far_end: Cell::new(2) };
        ip(&wan.far_end("add"))?;
        ip(&wan.far_route())?;
        forward(true)?;
        Ok(wan)
    }

    /// Has a command run in the far network.
    pub fn far(&self, command: &Command) -> Command {
        inside(FAR, command)
    }

    /// From now on, whatever is sent along the line vanishes.
    pub fn cut(&self) {
        must(forward(false));
    }

    /// The line is as before.
    pub fn mend(&self) {
        must(forward(true));
    }

    /// Takes the far end's address away, and gives it another one.
    pub fn move_far_end(&self) {
        must(ip(&self.far_end("del")));
        self.far_end.set(self.far_end.get() + 1);
        must(ip(&self.far_end("add")));
        must(ip(&self.far_route()));
    }

    fn far_end(&self, what: &str) -> String {
        format!("-n far addr {what} 10.9.2.{}/24 dev far-line", self.far_end.get())
    }

    /// A route goes with the address that it was made for.
    fn far_route(&self) -> String {
        "-n far route replace 10.9.1.0/24 via 10.9.2.1".to_owned()
    }
}

/// Whether the router passes packets on; if not, it drops them.
fn forward(does: bool) -> Result<(), String> {
    let setting = format!("net.ipv4.ip_forward={}", u8::from(does));
    ip(&format!("netns exec {ROUTER} sysctl -q -w {setting}"))
}

/// The command, to be run in the network of this name.
pub(crate) fn inside(network: &str, command: &Command) -> Command {
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", network]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    inside
}

pub(crate) fn ip(arguments: &str) -> Result<(), String> {
    let outcome = Command::new("ip").args(arguments.split_whitespace()).output();
    let Output { status, stderr, .. } = outcome.map_err(|error| format!("ip: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => {
            let why = String::from_utf8_lossy(&stderr);
            Err(format!("ip {arguments}: {}", why.trim()))
        }
    }
}

pub(crate) fn must(outcome: Result<(), String>) {
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
