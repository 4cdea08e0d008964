//! Web servers that are told where their clients come from, by both versions of the PROXY protocol.

use std::{fs, net::SocketAddr, path::Path};

use ockam_actix_harness::{
    client::connect,
    deadline::{poll, PATIENCE},
    installed::installed,
    network::in_own_network,
    program::{clean, Program},
};

use crate::{are_installed, free_address, succeed, Portal};

/// Starts a server whose page is the address and the port of its client.
type Start = fn(&Path, SocketAddr) -> Program;

fn nginx(folder: &Path, address: SocketAddr) -> Program {
    let at = folder.display();
    let config = format!(
        "daemon off; master_process off; error_log stderr; pid {at}/pid;
         events {{}}
         http {{
           access_log off;
           client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;
           uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;
           server {{
             listen {address} proxy_protocol;
             return 200 \"$proxy_protocol_addr:$proxy_protocol_port\";
           }}
         }}"
    );
    start("nginx", folder, &config, &["-p", &at.to_string(), "-c"])
}

fn haproxy(folder: &Path, address: SocketAddr) -> Program {
    let config = format!(
        "defaults
           mode http
           timeout client 10s
           timeout connect 10s
           timeout server 10s
         frontend web
           bind {address} accept-proxy
           http-request return status 200 content-type text/plain lf-string \"%[src]:%[src_port]\"
        "
    );
    start("haproxy", folder, &config, &["-db", "-f"])
}

fn start(program: &str, folder: &Path, config: &str, arguments: &[&str]) -> Program {
    let file = folder.join("config");
    // haproxy wants an end of the last line.
    fs::write(&file, format!("{}\n", config.trim_end())).unwrap();
    Program::start(clean(installed(program).unwrap()).args(arguments).arg(file))
}

fn sees_each_client(name: &str, start: Start) {
    if !are_installed(&[name, "curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let server = start(folder.path(), address);
    poll("the server to listen", PATIENCE, || connect(address, PATIENCE).map(drop));
    for (version, ports) in [("v1", [40_001, 40_002]), ("v2", [40_003, 40_004])] {
        let to = address.to_string();
        let portal = Portal::start(
            &["--to", &to, "--proxy-protocol", version],
            &["--listen", "127.0.0.1:0"],
        );
        let url = format!("http://{}/", portal.address());
        for port in ports {
            // A client at an address of its own, as others of the network have them.
            let from = ["--interface", "127.0.0.9", "--local-port", &port.to_string()];
            let page = succeed(&[&["curl", "-sS", &url], &from[..]].concat());
            assert_eq!(page, format!("127.0.0.9:{port}"), "{version}: {server}");
        }
    }
}

#[test]
fn nginx_sees_each_client() {
    in_own_network(|| sees_each_client("nginx", nginx));
}

#[test]
fn haproxy_sees_each_client() {
    in_own_network(|| sees_each_client("haproxy", haproxy));
}
