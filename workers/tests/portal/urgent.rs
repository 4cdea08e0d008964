//! Bytes that a client sends as urgent arrive in order, whether anything follows them or not.

use std::{io::Write as _, net::TcpStream as BlockingStream};

use ockam_actix_runtime::route;
use socket2::SockRef;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::support::{in_time, inlet, node, outlet, run};

#[test]
fn an_urgent_byte_arrives_although_nothing_follows_it() {
    run(async {
        let ctx = node().await;
        let target = outlet(ctx.node()).await;
        let inlet = inlet(ctx.node(), route!["outlet"]);
        let mut client = BlockingStream::connect(inlet).unwrap();
        client.set_nodelay(true).unwrap();
        let (mut served, _) = in_time("the target", target.accept()).await.unwrap();
        // Before and after the first read, and past what one read takes.
        for before in ["abc".len(), 0, 1, 3_000, 10_000] {
            client.write_all(&vec![b'.'; before]).unwrap();
            SockRef::from(&client).send_out_of_band(b"!").unwrap();
            assert_eq!(arrived(&mut served, before + 1).await, urgent_after(before));
        }
        ctx.stop().await.unwrap();
    });
}

fn urgent_after(before: usize) -> Vec<u8> {
    [vec![b'.'; before], vec![b'!']].concat()
}

async fn arrived(served: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut came = vec![0; bytes];
    in_time("the urgent byte", served.read_exact(&mut came)).await.unwrap();
    came
}
