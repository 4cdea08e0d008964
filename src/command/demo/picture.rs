//! The demonstration's picture: the route that the page took, and who could read it.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use ockam::Identifier;

/// What the demonstration saw.
pub(crate) struct Picture {
    pub(crate) inlet: SocketAddr,
    pub(crate) hub: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) inlet_identity: Identifier,
    pub(crate) outlet_identity: Identifier,
    pub(crate) forwarding_address: String,
    pub(crate) page: String,
    pub(crate) taken: Duration,
    /// All bytes between the inlet node and the hub.
    pub(crate) to_hub: Vec<u8>,
    /// All bytes between the hub and the outlet node.
    pub(crate) from_hub: Vec<u8>,
    /// A phrase of the page, to look for.
    pub(crate) mark: &'static str,
}

impl Picture {
    /// Whether the client has the page and the hub has nothing of it.
    pub(crate) fn is_as_claimed(&self) -> bool {
        self.page.contains(self.mark)
            && !self.hub_read(&self.to_hub)
            && !self.hub_read(&self.from_hub)
    }

    fn hub_read(&self, seen: &[u8]) -> bool {
        seen.windows(self.mark.len()).any(|window| window == self.mark.as_bytes())
    }

    /// The picture as lines of at most 80 columns.
    pub(crate) fn draw(&self) -> String {
        let (inlet_identity, outlet_identity) =
            (short(&self.inlet_identity.to_string()), short(&self.outlet_identity.to_string()));
        let mut text = String::from("\n");
        let mut line = |content: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", content.trim_end());
        };
        line("  HTTP client                       reads the page".into());
        line("      │  TCP, plain, inside this machine".into());
        line(format!("  ┌───▼──────────── inlet node ── {inlet_identity}"));
        line(format!("  │ inlet {:<26} reads the page", self.inlet));
        line("  │ encryptor                       seals every record".into());
        line("  └───┬──────────────────────────".into());
        line(format!(
            "      ║  TCP, sealed: {} bytes{}",
            self.to_hub.len(),
            self.found(&self.to_hub)
        ));
        line("  ┌───▼──────────── hub ── trusted by nobody".into());
        line(format!("  │ listener {:<22} sees sizes and times", self.hub));
        line(format!("  │ forwarder {:<22}CANNOT read the page", short(&self.forwarding_address)));
        line("  └───┬──────────────────────────".into());
        line(format!(
            "      ║  TCP, sealed: {} bytes{}",
            self.from_hub.len(),
            self.found(&self.from_hub)
        ));
        line(format!("  ┌───▼──────────── outlet node ── {outlet_identity}"));
        line("  │ decryptor                       opens every record".into());
        line("  │ outlet                          reads the page".into());
        line("  └───┬──────────────────────────".into());
        line("      │  TCP, plain, inside this machine".into());
        line(format!("  web server {:<22} sends the page", self.target));
        line(String::new());
        line(format!(
            "  fetched {} bytes in {:.1} ms:",
            self.page.len(),
            self.taken.as_secs_f64() * 1e3
        ));
        for page_line in self.page.lines() {
            line(format!("    {page_line}"));
        }
        line(String::new());
        line(format!("  the hub saw, for example: {}…", hex(&self.tail())));
        line(String::new());
        text
    }

    fn found(&self, seen: &[u8]) -> &'static str {
        if self.hub_read(seen) {
            ", THE PAGE AMONG THEM"
        } else {
            ", the page not among them"
        }
    }

    /// The end of what passed: records, as the handshake is over by then.
    fn tail(&self) -> Vec<u8> {
        self.to_hub[self.to_hub.len().saturating_sub(20)..].to_vec()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(16) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
