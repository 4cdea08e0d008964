//! The demonstration's picture: the route that the page took, and who could read it.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use ockam::Identifier;

use crate::command::{
    demo::{grouped::grouped, tap::Seen, web::PAGE_MARK},
    output::quantity::short,
};

/// How many lines of the page are shown.
const SHOWN_LINES: usize = 3;

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
    /// What passed between the inlet node and the hub.
    pub(crate) to_hub: Seen,
    /// What passed between the hub and the outlet node.
    pub(crate) from_hub: Seen,
}

impl Picture {
    /// Whether the client has the page and the hub has nothing of it.
    pub(crate) fn is_as_claimed(&self) -> bool {
        self.page.contains(PAGE_MARK) && !self.to_hub.has_page && !self.from_hub.has_page
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
        line(row("  HTTP client", "reads the page"));
        line("      │  TCP, plain, inside this machine".into());
        line(format!("  ┌───▼──────────── inlet node ── {inlet_identity}"));
        line(row(&format!("  │ inlet {}", self.inlet), "reads the page"));
        line(row("  │ encryptor", "seals every record"));
        line("  └───┬──────────────────────────".into());
        line(passed(&self.to_hub));
        line("  ┌───▼──────────── hub ── trusted by nobody".into());
        line(row(&format!("  │ listener {}", self.hub), "sees sizes and times"));
        line(row(
            &format!("  │ forwarder {}", short(&self.forwarding_address)),
            "CANNOT read the page",
        ));
        line("  └───┬──────────────────────────".into());
        line(passed(&self.from_hub));
        line(format!("  ┌───▼──────────── outlet node ── {outlet_identity}"));
        line(row("  │ decryptor", "opens every record"));
        line(row("  │ outlet", "reads the page"));
        line("  └───┬──────────────────────────".into());
        line("      │  TCP, plain, inside this machine".into());
        line(row(&format!("  web server {}", self.target), "sends the page"));
        line(String::new());
        line(format!(
            "  fetched {} bytes in {:.1} ms:",
            grouped(self.page.len()),
            self.taken.as_secs_f64() * 1e3
        ));
        let mut page = self.page.lines();
        for page_line in page.by_ref().take(SHOWN_LINES) {
            line(format!("    {page_line}"));
        }
        match page.count() {
            0 => {}
            more => line(format!("    and {} more lines", grouped(more))),
        }
        line(String::new());
        line(format!("  the hub saw, for example: {}…", hex(&self.to_hub.sample)));
        line(String::new());
        text
    }
}

/// What there is, and in the same column everywhere what it does.
fn row(what: &str, does: &str) -> String {
    format!("{what:<35} {does}")
}

/// What passed between a node and the hub.
fn passed(Seen { bytes, has_page, .. }: &Seen) -> String {
    let found = if *has_page { "THE PAGE AMONG THEM" } else { "the page not among them" };
    format!("      ║  TCP, sealed: {} bytes, {found}", grouped(*bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
