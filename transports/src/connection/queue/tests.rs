//! Which messages leave as datagrams, and which on the stream.

use bytes::BytesMut;
use ockam_actix_runtime::{route, Address, Origin};
use std::task::Waker;

use super::*;
use crate::frame::{next_frame, Frame as Arrived};

const LIMIT: usize = 64 * 1024;

/// Takes all that is written, and datagrams of at most so many bytes, as long as it has room.
#[derive(Default)]
struct Taking {
    largest: usize,
    is_full: Cell<bool>,
    stream: RefCell<BytesMut>,
    datagrams: RefCell<Vec<Vec<u8>>>,
}

impl Carrier for Taking {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn try_read(&self, _: &mut BytesMut) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut stream = self.stream.borrow_mut();
        slices.iter().for_each(|slice| stream.extend_from_slice(slice));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn try_send_datagram(&self, slices: &[IoSlice<'_>]) -> bool {
        let datagram = slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
        let takes = datagram.len() <= self.largest;
        self.datagrams.borrow_mut().extend(takes.then_some(datagram));
        takes
    }

    fn poll_datagram_room(&self, _: &mut Context<'_>) -> Poll<()> {
        if self.is_full.get() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Taking {
    /// The payloads that have left as datagrams, and those on the stream.
    fn left(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let payload = |body: &[u8]| {
            let message = ockam_actix_runtime::message::codec::decode(body.into(), Origin::Local);
            message.unwrap().payload.to_vec()
        };
        let datagrams = self.datagrams.borrow_mut().drain(..).map(|body| payload(&body)).collect();
        let mut stream = self.stream.borrow_mut();
        let frames = std::iter::from_fn(|| next_frame(&mut stream, LIMIT).unwrap());
        (datagrams, frames.map(|Arrived { body, .. }| payload(&body)).collect())
    }
}

fn message(payload: Vec<u8>, expendable: bool) -> Message {
    let mut message = Message::new(route!["peer"], route![], payload.into());
    message.expendable = expendable;
    message
}

fn write(queue: &WriteQueue, carrier: &Taking) {
    let lanes = Lanes::new(usize::MAX, Vec::new());
    let mut task = Context::from_waker(Waker::noop());
    assert!(queue.poll_write(carrier, &lanes, &mut task).is_pending());
}

fn queue() -> WriteQueue {
    WriteQueue::new(LIMIT, Arc::default())
}

#[test]
fn expendable_messages_leave_as_datagrams_that_fit() {
    let (queue, carrier) = (queue(), Taking { largest: 1_000, ..Taking::default() });
    queue.push(message(vec![1], false)).unwrap();
    queue.push(message(vec![2], true)).unwrap();
    queue.push(message(vec![3; 1_000], true)).unwrap();
    write(&queue, &carrier);
    assert_eq!(carrier.left(), (vec![vec![2]], vec![vec![1], vec![3; 1_000]]));
    assert_eq!(queue.shared.queued.get(), 0);
    let (queue, carrier) = (self::queue(), Taking::default());
    queue.push(message(vec![2], true)).unwrap();
    write(&queue, &carrier);
    assert_eq!(carrier.left(), (vec![], vec![vec![2]]));
}

#[test]
fn datagrams_take_no_credit() {
    let (queue, carrier) = (queue(), Taking { largest: 1_000, ..Taking::default() });
    for number in 0..=255 {
        queue.push(message(vec![number; 900], true)).unwrap();
        write(&queue, &carrier);
    }
    let (datagrams, frames) = carrier.left();
    assert_eq!((datagrams.len(), frames.len()), (256, 0));
    // And a lane whose credit is spent holds none up.
    for _ in 0..256 {
        queue.push(message(vec![7; 900], false)).unwrap();
    }
    queue.push(message(vec![8], true)).unwrap();
    write(&queue, &carrier);
    let (datagrams, frames) = carrier.left();
    assert!(datagrams == [[8]] && frames.len() < 100, "{} frames", frames.len());
}

#[test]
fn without_room_datagrams_wait_their_turn() {
    let (queue, carrier) = (queue(), Taking { largest: 1_000, ..Taking::default() });
    carrier.is_full.set(true);
    for number in 0..3 {
        queue.push(message(vec![number], true)).unwrap();
    }
    write(&queue, &carrier);
    // The carrier has taken one, for which there is no room yet.
    assert_eq!(carrier.left().0, [[0]]);
    queue.signal(Signal::Ping);
    write(&queue, &carrier);
    assert_eq!(carrier.stream.borrow_mut().split().len(), HEADER_BYTES + 1, "a signal goes on");
    assert!(carrier.left().0.is_empty());
    carrier.is_full.set(false);
    write(&queue, &carrier);
    assert_eq!(carrier.left().0, [[1], [2]]);
}

#[test]
fn expendable_messages_passed_on_are_bounded() {
    let queue = queue();
    let lanes = Lanes::new(usize::MAX, Vec::new());
    let (mut taken, mut left) = (0, 0);
    for _ in 0..1_000 {
        let mut message = message(vec![7; 1_000], true);
        message.origin = remote();
        let permit = lanes.arrive_expendable(1_000).unwrap();
        match queue.push(message.with_permit(permit.into())) {
            Ok(()) => taken += 1_000,
            Err(undelivered) => {
                assert_eq!(undelivered.notice.reason, UndeliverableReason::Overloaded);
                left += 1;
            }
        }
    }
    assert!(taken <= EXPENDABLE_BYTES && left > 800, "{taken} bytes taken, {left} messages not");
}

fn remote() -> Origin {
    use ockam_actix_runtime::trust::origin::{Door, Ingress};
    let door = Door::Listener { loopback: true, exposed: Arc::default() };
    Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source: None }))
}
