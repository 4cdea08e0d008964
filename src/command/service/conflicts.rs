//! Conflicts of two sections of a file: one address to listen on, or one service of one identity.

use ockam::{Error, Result};

use crate::command::{
    service::{console::ConsoleSection, section::Section},
    startable::HubService,
};

/// An address to listen on: whether it is of UDP, the host, and the port or the path of a socket.
#[derive(PartialEq, Eq)]
struct ListenAddress<'a> {
    is_udp: bool,
    host: &'a str,
    port: &'a str,
}

/// Refuses sections of which one would take away from another what that needs, or from itself.
///
/// # Errors
/// Names both.
pub(crate) fn check(sections: &[Section], console: Option<&ConsoleSection>) -> Result<()> {
    // Whoever listens is named, and what it is besides.
    let mut taken: Vec<(String, String)> = Vec::new();
    let of_console = console.map(|one| (one.to_string(), vec![one.listen.clone()]));
    let of_sections = sections.iter().map(|one| (one.to_string(), one.checked.listens()));
    for (owner, listens) in of_sections.chain(of_console) {
        for address in listens {
            let at = ListenAddress::of(&address);
            let before = taken.iter().find(|(_, other)| ListenAddress::of(other).overlaps(&at));
            if let Some((before, other)) = before {
                return Err(Error::Usage(format!("{owner}: {before} listens on {other} already")));
            }
            taken.push((owner.clone(), address));
        }
    }
    let mut services: Vec<(&Section, HubService<'_>)> = Vec::new();
    for (section, service) in sections.iter().filter_map(|one| Some((one, one.checked.service()?)))
    {
        if let Some((before, _)) = services.iter().find(|(_, other)| is_same(&service, other)) {
            let text = format!(
                "{section}: {before} has the same identity, service and hub: give them different \
                 names with \"service\""
            );
            return Err(Error::Usage(text));
        }
        services.push((section, service));
    }
    Ok(())
}

fn is_same(one: &HubService<'_>, other: &HubService<'_>) -> bool {
    let shares_hub = one.hubs.iter().any(|hub| other.hubs.contains(hub));
    one.owner == other.owner && one.name == other.name && shares_hub
}

impl<'a> ListenAddress<'a> {
    fn of(address: &'a str) -> Self {
        if let Some(path) = address.strip_prefix("unix:") {
            return Self { is_udp: false, host: "unix", port: path };
        }
        let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        Self { is_udp: matches!(scheme, "udp" | "quic"), host, port }
    }

    /// Whether it is all addresses of the machine, also that of `host`: those of version 6 include
    /// those of version 4.
    fn covers(&self, host: &str) -> bool {
        match self.host {
            "0.0.0.0" => host != "unix" && (!host.starts_with('[') || host == "[::]"),
            "[::]" => host != "unix",
            _ => false,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let is_same_host =
            self.host == other.host || self.covers(other.host) || other.covers(self.host);
        // Port 0 is any that is free.
        is_same_host && self.is_udp == other.is_udp && self.port == other.port && self.port != "0"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::service::section::{tests::section, Kind, Place};

    fn refused(one: Section, other: Section) -> Option<String> {
        check(&[one, other], None).err().map(|error| error.one_line())
    }

    fn inlet(listen: &str) -> Section {
        section(Kind::Inlet, 5, &[&format!("--listen={listen}"), "--route=tcp#h:1,,x"])
    }

    #[test]
    fn one_place_to_listen_is_for_one() {
        let outlet =
            |listen| section(Kind::Outlet, 1, &["--to=a:1", &format!("--listen={listen}")]);
        for (one, other) in [
            ("127.0.0.1:4001", "127.0.0.1:4001"),
            ("0.0.0.0:4001", "127.0.0.1:4001"),
            ("10.0.0.1:1,ws://127.0.0.1:4001/path", "127.0.0.1:4001"),
            ("unix:/run/a", "unix:/run/a"),
        ] {
            let said = refused(outlet(one), inlet(other)).unwrap();
            assert!(said.contains("file:1") && said.contains("file:5"), "{said}");
        }
        for (one, other) in [
            ("127.0.0.1:4001", "127.0.0.1:4002"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("quic://127.0.0.1:4001", "127.0.0.1:4001"),
            ("0.0.0.0:4001", "[::1]:4001"),
            ("unix:/run/a", "unix:/run/b"),
        ] {
            assert_eq!(refused(outlet(one), inlet(other)), None, "{one} {other}");
        }
        let hub = section(Kind::Hub, 1, &["--console=4001"]);
        assert!(refused(hub.clone(), inlet("127.0.0.1:4001")).is_some());
        assert!(refused(hub, inlet("127.0.0.1:4000")).is_some());
        let twice = section(Kind::Hub, 1, &["--", "127.0.0.1:1", "tcp://127.0.0.1:1"]);
        assert!(check(&[twice], None).is_err());
    }

    #[test]
    fn a_console_has_its_own_address() {
        let place = Place::File { path: "file".into(), line: 1 };
        let listen = "127.0.0.1:4090".into();
        let console = ConsoleSection { place, listen, hosts: Vec::new() };
        let refused = |section| check(&[section], Some(&console)).err();
        let said = refused(inlet("0.0.0.0:4090")).unwrap().one_line().to_string();
        assert!(said.contains("file:1: [console]") && said.contains("file:5: [[inlet]]"), "{said}");
        assert!(refused(inlet("127.0.0.1:4091")).is_none());
    }

    #[test]
    fn services_of_one_identity_have_different_names() {
        let outlet = |more: &[&str]| {
            section(Kind::Outlet, 1, &[&["--to=a:1", "--via=h:1,i:1"], more].concat())
        };
        let web = ["--identity=web", "--service=a"];
        assert!(refused(outlet(&web), outlet(&web)).is_some());
        assert!(refused(outlet(&web[..1]), outlet(&web[..1])).is_some());
        assert_eq!(refused(outlet(&web), outlet(&web[..1])), None);
        assert_eq!(refused(outlet(&[]), outlet(&[])), None);
    }
}
