//! A server that answers each connection's bytes with the same bytes.

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// Starts it on a port that the system chooses; returns the address.
pub fn start() -> String {
    start_at("127.0.0.1:0")
}

/// Starts it at an address, which is free in a [network of one's own](crate::network).
pub fn start_at(address: &str) -> String {
    let listener = TcpListener::bind(address).expect("the port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    address
}

fn answer(mut stream: &TcpStream) {
    let _ = std::io::copy(&mut &*stream, &mut stream);
    let _ = stream.shutdown(Shutdown::Write);
}
