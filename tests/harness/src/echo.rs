//! A server that answers each connection's bytes with the same bytes.

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// Starts it on a port that the system chooses; returns the address.
pub fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
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
