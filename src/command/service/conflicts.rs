//! Conflicts of two sections of a file: one address to listen on, or one service of one identity.

use ockam::{Error, Result};

use crate::command::service::{
    console::ConsoleSection,
    section::{Kind, Section},
};

/// Where a hub listens whose section does not say so.
const HUB: &str = "127.0.0.1:4000";

/// An address to listen on: whether it is of UDP, the host, and the port or the path of a socket.
#[derive(PartialEq, Eq)]
struct ListenAddress<'a> {
    is_udp: bool,
    host: &'a str,
    port: &'a str,
}

/// Refuses sections of which one would take away from another what that needs.
///
/// # Errors
/// Names both.
pub(crate) fn check(sections: &[Section], console: Option<&ConsoleSection>) -> Result<()> {
    for (section, console) in sections.iter().flat_map(|one| console.map(|two| (one, two))) {
        let at = ListenAddress::of(&console.listen);
        if let Some(taken) = listens(section).find(|one| ListenAddress::of(one).overlaps(&at)) {
            return Err(Error::Usage(format!("{console}: {section} listens on {taken} already")));
        }
    }
    for (index, section) in sections.iter().enumerate() {
        for before in &sections[..index] {
            let taken = listens(section).find(|one| {
                listens(before)
                    .any(|other| ListenAddress::of(one).overlaps(&ListenAddress::of(other)))
            });
            if let Some(taken) = taken {
                let text = format!("{section}: {before} listens on {taken} already");
                return Err(Error::Usage(text));
            }
            if is_same_service(section, before) {
                let text = format!(
                    "{section}: {before} has the same identity, service and hub: give them \
                     different names with \"service\""
                );
                return Err(Error::Usage(text));
            }
        }
    }
    Ok(())
}

/// Where a section listens: for nodes, for clients, and for who asks its console.
fn listens(section: &Section) -> impl Iterator<Item = &str> {
    let positional = section.options.iter().skip_while(|option| *option != "--").skip(1);
    let is_usual_hub = section.kind == Kind::Hub && !section.options.contains(&"--".into());
    let given = values(section, "listen").chain(values(section, "console"));
    given.chain(positional.map(String::as_str)).chain(is_usual_hub.then_some(HUB))
}

fn values<'a>(section: &'a Section, key: &'a str) -> impl Iterator<Item = &'a str> {
    let given = section
        .options
        .iter()
        .filter_map(move |option| option.strip_prefix("--")?.strip_prefix(key)?.strip_prefix('='));
    given.flat_map(|value| value.split(','))
}

/// Outlets without an identity of the vault have one each.
fn is_same_service(one: &Section, other: &Section) -> bool {
    let value = |section, key| values(section, key).next();
    let is_same = |key| value(one, key) == value(other, key);
    let has_hub = |section| values(section, "listen").next().is_none();
    let shares_hub = values(one, "via").any(|hub| values(other, "via").any(|other| other == hub))
        || value(one, "via").is_none() && value(other, "via").is_none();
    one.kind == Kind::Outlet
        && other.kind == Kind::Outlet
        && value(one, "identity").is_some()
        && ["identity", "vault", "service"].into_iter().all(is_same)
        && has_hub(one)
        && has_hub(other)
        && shares_hub
}

impl<'a> ListenAddress<'a> {
    fn of(address: &'a str) -> Self {
        if let Some(path) = address.strip_prefix("unix:") {
            return Self { is_udp: false, host: "unix", port: path };
        }
        let (scheme, rest) = address.split_once("://").unwrap_or(("tcp", address));
        let authority = rest.split('/').next().unwrap_or_default();
        // A console may be given by its port alone.
        let (host, port) = authority.rsplit_once(':').unwrap_or(("127.0.0.1", authority));
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Self { is_udp: matches!(scheme, "udp" | "quic"), host, port }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let is_any = |place: &Self| matches!(place.host, "0.0.0.0" | "[::]");
        let is_same_host = self.host == other.host
            || (is_any(self) && other.host != "unix")
            || (is_any(other) && self.host != "unix");
        // Port 0 is any that is free.
        is_same_host && self.is_udp == other.is_udp && self.port == other.port && self.port != "0"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::service::section::Place;

    fn section(kind: Kind, line: usize, options: &[&str]) -> Section {
        let place = Place::File { path: "file".into(), line };
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Section { kind, place, options }
    }

    fn refused(one: Section, other: Section) -> Option<String> {
        check(&[one, other], None).err().map(|error| error.one_line())
    }

    #[test]
    fn one_place_to_listen_is_for_one() {
        let outlet = |listen| section(Kind::Outlet, 1, &[&format!("--listen={listen}")]);
        let inlet = |listen| section(Kind::Inlet, 5, &[&format!("--listen={listen}")]);
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
            ("unix:/run/a", "unix:/run/b"),
        ] {
            assert_eq!(refused(outlet(one), inlet(other)), None, "{one} {other}");
        }
        let hub = section(Kind::Hub, 1, &["--console=4001"]);
        assert!(refused(hub.clone(), inlet("127.0.0.1:4001")).is_some());
        assert!(refused(hub, inlet("127.0.0.1:4000")).is_some());
    }

    #[test]
    fn a_console_has_its_own_address() {
        let inlet = |listen: &str| section(Kind::Inlet, 5, &[&format!("--listen={listen}")]);
        let place = Place::File { path: "file".into(), line: 1 };
        let console = ConsoleSection { place, listen: "4090".into(), hosts: Vec::new() };
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
