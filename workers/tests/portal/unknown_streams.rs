//! What an outlet says of a stream that it does not know.

use std::{future::IntoFuture, time::Duration};

use ockam_actix_runtime::{route, Payload};
use ockam_actix_transports::memory::{Link, LinkOptions};
use ockam_actix_workers::portal::{
    protocol::{
        message::{decode, Control, Decoded},
        offset::{Limit, Offset},
        resumption::{OutletLife, StreamSecret},
    },
    Outlet, OutletOptions,
};

use crate::support::{in_time, node, run};

/// The life in the answer of an outlet of another node to a resume.
async fn life_of(options: OutletOptions) -> Option<OutletLife> {
    let (near, far) = (node().await, node().await);
    let link = Link::new(near.node(), far.node(), LinkOptions::default()).unwrap();
    Outlet::start(far.node(), "outlet", options).unwrap();
    let secret = StreamSecret::from_bytes([1; 16]);
    let (received, limit) = (Offset::ZERO, Limit::new(0));
    let resume = Control::Resume { secret, attempt: 1, received, limit }.encode();
    let question = near.ask(route![link.address(), "outlet"], Payload::from(&resume[..]));
    let answer = in_time("an answer", question.reply_as::<Payload>().into_future()).await.unwrap();
    let (Decoded::Control(Control::Unknown { life }), _) = decode(&answer).unwrap() else {
        panic!("the stream is known: {answer:?}");
    };
    near.stop().await.unwrap();
    far.stop().await.unwrap();
    life
}

#[test]
fn only_outlets_that_keep_streams_have_lives() {
    run(async {
        let target = || OutletOptions::to("127.0.0.1:1");
        assert!(life_of(target()).await.is_some());
        // Its inlets must not send bytes again that it may have given to its target.
        assert_eq!(life_of(target().resume_for(Duration::ZERO)).await, None);
    });
}
