//! Targets as people write them, right and wrong.

use super::*;

#[test]
fn targets_are_parsed_and_shown() {
    for (text, shown) in [
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("localhost:22", "localhost:22"),
        ("DB.internal:5432", "db.internal:5432"),
        ("db_1.internal.:65535", "db_1.internal.:65535"),
        ("bücher.example:443", "bücher.example:443"),
        ("[::1]:5000", "[::1]:5000"),
        ("[2001:DB8:0::1]:1", "[2001:db8::1]:1"),
        ("[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]:1"),
        ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
        ("[fe80::1%2]:80", "[fe80::1%2]:80"),
        ("fe80::1%eth0:80", "[fe80::1%eth0]:80"),
        ("tcp:5000", "tcp:5000"),
        ("1e100.net:443", "1e100.net:443"),
        ("unix:/run/db.sock", "unix:/run/db.sock"),
        ("unix:///run/db.sock", "unix:/run/db.sock"),
        ("unix:/a:80", "unix:/a:80"),
    ] {
        let parsed: Target = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed.to_string(), shown, "{text}");
        assert_eq!(shown.parse::<Target>().unwrap(), parsed, "{text}");
    }
}

#[test]
fn errors_show_what_was_meant() {
    for (text, meant) in [
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("http://127.0.0.1:5000/path?query", "127.0.0.1:5000"),
        ("http://example.org", "example.org:80"),
        ("https://user:word@example.org/", "example.org:443"),
        ("HTTPS://[::1]/", "[::1]:443"),
        ("tcp://127.0.0.1:5000", "127.0.0.1:5000"),
        ("tpc://127.0.0.1:5000", "127.0.0.1:5000"),
        ("redis://cache:6379/0", "cache:6379"),
        ("127.0.0.1:5000/", "127.0.0.1:5000"),
        (" 127.0.0.1:5000", "127.0.0.1:5000"),
        ("127.0.0.1: 5000", "127.0.0.1:5000"),
        ("127.0.0.1:5000\n", "127.0.0.1:5000"),
        ("5000", "127.0.0.1:5000"),
        (":5000", "127.0.0.1:5000"),
        ("example.org", "example.org:5000"),
        ("127.0.0.1", "127.0.0.1:5000"),
        ("::1", "[::1]:5000"),
        ("::1:5000", "[::1]:5000"),
        ("[::1]", "[::1]:5000"),
        ("/run/db.sock", "unix:/run/db.sock"),
        ("unix:run/db.sock", "unix:/run/db.sock"),
        ("unix://run/db.sock", "unix:/run/db.sock"),
    ] {
        let error = text.parse::<Target>().unwrap_err().to_string();
        let begins = format!("\"{text}\" is not a target: ");
        let ends = format!("; did you mean {meant}?");
        assert!(error.starts_with(&begins) && error.ends_with(&ends), "{error}");
    }
}

#[test]
fn errors_without_a_guess_show_the_form() {
    let long = format!("unix:/{}", "x".repeat(200));
    for (text, why) in [
        ("", "the port is missing"),
        ("udp:127.0.0.1:53", "udp://host:port"),
        ("udp://127.0.0.1:53", "udp://host:port"),
        ("gopher://", "no scheme but unix:"),
        ("localhost:http", "between 1 and 65535"),
        ("localhost:0", "between 1 and 65535"),
        ("localhost:65536", "between 1 and 65535"),
        ("localhost:+80", "between 1 and 65535"),
        ("127.1:80", "four numbers"),
        ("256.0.0.1:80", "four numbers"),
        ("0x7f000001:80", "four numbers"),
        ("user@host:22", "no host has such a name"),
        ("a,b:80", "no host has such a name"),
        ("*:80", "* stands for a host"),
        ("[::1:80", "in the brackets"),
        ("[localhost]:80", "in the brackets"),
        ("[fe80::1%]:80", "in the brackets"),
        ("unix:/", "a folder"),
        ("unix:/run/", "a folder"),
        (long.as_str(), "too long"),
    ] {
        let error = text.parse::<Target>().unwrap_err().to_string();
        let ends = "; expected host:port, such as 127.0.0.1:5000, or unix:/path";
        assert!(error.contains(why) && error.ends_with(ends), "{error}");
    }
}
