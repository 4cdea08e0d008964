//! Tables: what variables and URLs say, and which peers are connected to through a proxy.

use std::collections::HashMap;

use super::{server::Protocol, *};

/// What these variables of an environment say.
fn environment(variables: &[(&str, &str)]) -> Result<Proxies> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    environment::read(|name| variables.get(name).map(Into::into)).map(Proxies::named)
}

/// The proxy for a peer, as `host:port`.
fn chosen(proxies: &Proxies, peer: &str) -> Option<String> {
    proxies.server_for(&HostPort::parse(peer).unwrap()).map(ToString::to_string)
}

#[test]
fn variables_name_the_proxy_in_their_order() {
    let peer = "example.org:4000";
    for (variables, expected) in [
        (&[][..], None),
        (&[("HTTP_PROXY", "http://a:1"), ("NO_PROXY", "junk/")], None),
        (&[("ALL_PROXY", "http://a:1")], Some("a:1")),
        (&[("all_proxy", "http://a:1"), ("ALL_PROXY", "http://b:1")], Some("a:1")),
        (&[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:1")], Some("b:1")),
        (&[("ALL_PROXY", "http://a:1"), ("https_proxy", "http://b:1")], Some("b:1")),
        (&[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "")], Some("a:1")),
        (&[("HTTPS_PROXY", "http://b:1"), ("https_proxy", "")], Some("b:1")),
        (&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", "example.org")], None),
        (&[("ALL_PROXY", "http://a:1"), ("NO_PROXY", "*"), ("no_proxy", "b")], Some("a:1")),
    ] {
        let proxies = environment(variables).unwrap();
        assert_eq!(chosen(&proxies, peer).as_deref(), expected, "{variables:?}");
    }
}

#[test]
fn urls_have_a_kind_and_a_port() {
    let socks = |here| Protocol::Socks5 { here };
    for (url, protocol, address) in [
        ("http://proxy:3128", Protocol::Http, "proxy:3128"),
        ("proxy:3128", Protocol::Http, "proxy:3128"),
        ("HTTP://10.0.0.1/", Protocol::Http, "10.0.0.1:80"),
        ("http://[2001:db8::1]", Protocol::Http, "[2001:db8::1]:80"),
        ("http://[::1]:8080", Protocol::Http, "[::1]:8080"),
        ("socks5://proxy", socks(true), "proxy:1080"),
        ("socks5h://u:p@proxy:9050", socks(false), "proxy:9050"),
    ] {
        let server = ProxyServer::parse(url, "a test").unwrap();
        assert_eq!((server.protocol, server.address()), (protocol, address), "{url}");
    }
}

#[test]
fn urls_may_carry_credentials() {
    for (url, user, password) in [
        ("http://alice:secret@proxy", "alice", "secret"),
        ("http://alice@proxy", "alice", ""),
        ("http://al%40ice:s%3Ae%2Fc@proxy", "al@ice", "s:e/c"),
        ("http://alice:p@ss:word@proxy", "alice", "p@ss:word"),
    ] {
        let server = ProxyServer::parse(url, "a test").unwrap();
        let credentials = server.credentials.unwrap();
        assert_eq!((&*credentials.user, &*credentials.password), (user, password), "{url}");
    }
}

#[test]
fn invalid_variables_are_named_without_their_value() {
    for url in [
        "https://alice:secret@proxy:1",
        "socks4://alice:secret@proxy:1",
        "http://alice:secret@",
        "http://alice:secret@proxy:port",
        "http://alice:secret@proxy:1/path",
        "http://alice:secret@pro xy:1",
        "http://alice:secret%ff@proxy:1",
        "socks5://alice:@proxy#secret",
        "://secret",
    ] {
        let text = environment(&[("HTTPS_PROXY", url)]).unwrap_err().to_string();
        assert!(text.contains("HTTPS_PROXY: ") && text.contains("http://host:port"), "{text}");
        assert!(!text.contains("secret") && !text.contains("alice"), "{text}");
    }
    for list in ["10.0.0.0/33", "a,10.*", "<local>", "host:port", "ho/st"] {
        let variables = [("ALL_PROXY", "http://proxy"), ("no_proxy", list)];
        let text = environment(&variables).unwrap_err().to_string();
        assert!(text.starts_with("no_proxy: \"") && text.contains("10.0.0.0/8"), "{text}");
    }
}

#[test]
fn credentials_are_not_shown() {
    let proxies = Proxies::through("http://alice:secret@proxy:1").unwrap();
    let shown = format!("{proxies:?} {}", chosen(&proxies, "example.org:1").unwrap());
    assert!(shown.contains("proxy:1"), "{shown}");
    assert!(!shown.contains("alice") && !shown.contains("secret"), "{shown}");
}

#[test]
fn exceptions_are_connected_to_directly() {
    for (list, peer, direct) in [
        ("", "example.org:1", false),
        ("*", "example.org:1", true),
        (" a , * ", "10.0.0.1:1", true),
        ("example.org", "example.org:1", true),
        ("example.org", "EXAMPLE.org.:1", true),
        ("Example.Org.", "hub.example.org:1", true),
        (".example.org", "hub.example.org:1", true),
        (".example.org", "example.org:1", true),
        ("*.example.org", "hub.example.org:1", true),
        ("example.org", "notexample.org:1", false),
        ("example.org", "example.org.evil:1", false),
        ("org", "bücher.example.org:1", true),
        ("ücher.org", "bücher.org:1", false),
        ("example.org:4000", "example.org:4000", true),
        ("example.org:4000", "example.org:4001", false),
        ("a b,c", "b:1", true),
        ("10.0.0.1", "10.0.0.1:1", true),
        ("10.0.0.1:2", "10.0.0.1:1", false),
        ("10.0.0.0/8", "10.200.0.1:1", true),
        ("10.0.0.0/8", "11.0.0.1:1", false),
        ("10.0.0.0/8", "ten.example.org:1", false),
        ("10.0.0.0/8", "[::ffff:10.0.0.1]:1", true),
        ("2001:db8::/32", "[2001:db8:1::1]:1", true),
        ("2001:db8::1", "[2001:db8::1]:1", true),
        ("[2001:db8::1]:2", "[2001:db8::1]:2", true),
        ("[2001:db8::1]:2", "[2001:db8::1]:1", false),
        ("0.0.0.0/0", "[2001:db8::1]:1", false),
        // This machine and this link, without being listed.
        ("", "localhost:1", true),
        ("", "127.0.0.1:1", true),
        ("", "[::1]:1", true),
        ("", "[fe80::1%eth0]:1", true),
    ] {
        let proxies = Proxies::through("http://proxy:1").unwrap().except(list).unwrap();
        assert_eq!(chosen(&proxies, peer).is_none(), direct, "{list} {peer}");
    }
}

#[test]
fn a_node_takes_its_proxies_once() {
    actix_rt::System::new().block_on(async {
        let node = ockam_actix_runtime::NodeBuilder::new().start().await.unwrap();
        Proxies::through("http://proxy:1").unwrap().use_for(&node).unwrap();
        let proxies = Proxies::of(&node).unwrap();
        assert_eq!(chosen(&proxies, "example.org:1").as_deref(), Some("proxy:1"));
        let refused = Proxies::none().use_for(&node).unwrap_err().to_string();
        assert!(refused.contains("before the first transport"), "{refused}");
        node.stop().await;
    });
}
