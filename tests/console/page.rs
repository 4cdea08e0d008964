//! The page in a browser, clicked through by `page.py`.

use std::process::Command;

use crate::network::with_network;

/// Where Python does not find the browser, it ends with this code.
const SKIPPED: i32 = 77;

#[test]
fn a_person_finds_a_stream_on_the_page() {
    with_network(async |network| {
        network.refuse();
        let mut clients = Vec::new();
        for bytes in [100, 2_000, 30_000] {
            clients.push(network.client(bytes).await);
        }
        let [url, outlet] =
            [network.inlet, network.outlet].map(|console| format!("http://{console}/"));
        let client = clients[1].local_addr().unwrap().to_string();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/console/page.py");
        let driving = actix_rt::task::spawn_blocking(move || {
            Command::new("python3").args(["-B", script, &url, &client, &outlet]).output()
        });
        match driving.await.unwrap() {
            Err(error) => println!("skipped: no python3: {error}"),
            Ok(done) if done.status.code() == Some(SKIPPED) => {
                println!("skipped: {}", String::from_utf8_lossy(&done.stdout));
            }
            Ok(done) => {
                let said = [done.stdout, done.stderr].concat();
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
            }
        }
    });
}
