//! Networks around that of a test, each with a line of its own that can be cut: machines of a
//! cluster.
//!
//! They reach each other through the test's network. To be used within
//! [`crate::network::in_own_network`]: all of it ends with that network.

use std::{net::Ipv4Addr, process::Command};

use crate::{
    network::is_own,
    wan::{inside, ip, must},
};

/// The networks.
#[derive(Debug)]
pub struct Islands(());

impl Islands {
    /// Makes `count` networks, whose lines are up.
    ///
    /// # Errors
    /// Why this machine cannot do that, for the message of a test that is skipped.
    pub fn new(count: u8) -> Result<Self, String> {
        if !is_own() {
            return Err("the test has no network of its own".to_owned());
        }
        for number in 0..count {
            let (name, near) = (name(number), Ipv4Addr::new(10, 8, number, 1));
            ip(&format!("netns add {name}"))?;
            ip(&format!("link add to-{name} type veth peer name line netns {name}"))?;
            ip(&format!("addr add {near}/24 dev to-{name}"))?;
            ip(&format!("link set to-{name} up"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} addr add {}/24 dev line", Self::address(number)))?;
            ip(&format!("-n {name} link set line up"))?;
            ip(&format!("-n {name} route add default via {near}"))?;
        }
        let passing = Command::new("sysctl").args(["-q", "-w", "net.ipv4.ip_forward=1"]).status();
        match passing {
            Ok(status) if status.success() => Ok(Self(())),
            outcome => Err(format!("sysctl: {outcome:?}")),
        }
    }

    /// The address of one of them.
    pub fn address(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 8, number, 2)
    }

    /// Has a command run in one of them.
    pub fn inside(&self, number: u8, command: &Command) -> Command {
        inside(&name(number), command)
    }

    /// From now on, nothing comes to it or from it.
    pub fn cut(&self, number: u8) {
        must(ip(&format!("link set to-{} down", name(number))));
    }

    /// Its line is up again.
    pub fn mend(&self, number: u8) {
        must(ip(&format!("link set to-{} up", name(number))));
    }
}

fn name(number: u8) -> String {
    format!("island-{number}")
}
