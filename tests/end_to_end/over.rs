//! Step 04 with the program `ockam` over each carrier.

use std::process::Command;

use ockam_actix_harness::program::{clean, Program};

use crate::{
    carrier::{Carrier, Files},
    tunnel::{inlet_address, Tunnel},
};

/// A carrier, with the files that it needs.
pub(crate) struct Over {
    pub(crate) carrier: Carrier,
    pub(crate) files: Files,
}

impl Over {
    pub(crate) fn new(carrier: Carrier) -> Self {
        println!("over {carrier:?}");
        Self { carrier, files: Files::new() }
    }

    /// The hub's address.
    fn hub_address(&self) -> String {
        let path = || self.files.path("hub.sock").display().to_string();
        match self.carrier {
            Carrier::Tcp => "127.0.0.1:4000".into(),
            Carrier::Unix => format!("unix:{}", path()),
            Carrier::Ws => "ws://127.0.0.1:4000".into(),
            Carrier::Wss => "wss://127.0.0.1:4000".into(),
            Carrier::Quic => "quic://127.0.0.1:4000".into(),
        }
    }

    /// `ockam` with arguments, and with options that take the paths of files.
    fn ockam(&self, arguments: &[&str], files: &[[&str; 2]]) -> Command {
        let mut command = clean(env!("CARGO_BIN_EXE_ockam"));
        command.args(arguments).env("OCKAM_ARBITERS", "2");
        for [option, name] in files {
            command.arg(option).arg(self.files.path(name));
        }
        command
    }

    /// A hub that listens.
    pub(crate) fn hub(&self) -> Program {
        let certificate = [["--tls-cert", "chain.pem"], ["--tls-key", "key.pem"]];
        let hub = Program::start(&mut self.ockam(&["hub", &self.hub_address()], &certificate));
        hub.wait_for_line("hub on ");
        hub
    }

    /// An outlet that has a forwarder on the hub, and the route to it.
    pub(crate) fn outlet(&self, target: &str) -> (Program, String) {
        self.outlet_via(&self.hub_address(), target)
    }

    /// An outlet that has a forwarder on the hub at `via`, and the route to it.
    pub(crate) fn outlet_via(&self, via: &str, target: &str) -> (Program, String) {
        let arguments = ["outlet", "--to", target, "--via", via];
        let outlet = Program::start(&mut self.ockam(&arguments, &[["--tls-ca", "chain.pem"]]));
        let rest = outlet.wait_for_rest("--route '");
        let route = rest.split('\'').next().unwrap_or_default().to_owned();
        (outlet, route)
    }

    /// An inlet at the near end of a route.
    pub(crate) fn inlet(&self, route: &str) -> Program {
        let arguments = ["inlet", "--listen", "127.0.0.1:0", "--route", route];
        Program::start(&mut self.ockam(&arguments, &[["--tls-ca", "chain.pem"]]))
    }

    /// Hub, outlet and inlet.
    pub(crate) fn step_04(&self, target: &str) -> Tunnel {
        let hub = self.hub();
        let (outlet, route) = self.outlet(target);
        let inlet = self.inlet(&route);
        Tunnel { inlet: inlet_address(&inlet), programs: vec![hub, outlet, inlet] }
    }
}
