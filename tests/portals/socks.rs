//! curl through a SOCKS inlet: names are looked up at the outlet, and what is refused looks so.

use ockam_actix_harness::target::{Target, PAGE};

use crate::{are_installed, output, succeed, Portal};

#[test]
fn curl_reaches_what_the_outlet_permits() {
    if !are_installed(&["curl"]) {
        return;
    }
    let target = Target::start();
    let (_, port) =
        target.address().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let to = format!("localhost:{port},127.0.0.1:{port},localhost:1,*.invalid:80");
    let portal = Portal::start(&["--to", &to], &["--listen", "127.0.0.1:0", "--socks"]);
    let inlet = portal.address().to_string();
    let fetch = |option: &str, url: &str| output(&["curl", "-sS", option, &inlet, url]);
    for option in ["--socks5-hostname", "--socks5"] {
        let url = format!("http://127.0.0.1:{port}/");
        assert_eq!(succeed(&["curl", "-sS", option, &inlet, &url]), PAGE, "{}", portal.outlet);
    }
    let url = format!("http://localhost:{port}/");
    assert_eq!(succeed(&["curl", "-sS", "--socks5-hostname", &inlet, &url]), PAGE);
    for (url, code) in [
        (format!("http://other.example:{port}/"), 2),
        ("http://localhost:2/".into(), 2),
        (format!("http://127.0.0.2:{port}/"), 2),
        ("http://localhost:1/".into(), 5),
        ("http://nobody.invalid/".into(), 4),
    ] {
        let (succeeded, why) = fetch("--socks5-hostname", &url);
        assert!(!succeeded && why.contains(&format!("({code})")), "{url}: {why}");
    }
    portal.outlet.wait_for_line(&format!("to other.example:{port}: not permitted"));
    portal.inlet.wait_for_line("the outlet does not allow it");
}
