//! Endings of connections that have a name: what programs do, and what happens with full windows.

use super::{
    expected::Expected::{End, EndThenReset, Open, Reset},
    script::{
        Script,
        Side::{Client, Target},
        Step::{self, Arrival, Close, Fill, Finish, ReadTo, ReadToEnd, SeeReset, SendTo},
    },
};

/// More than any window.
const LARGE: u64 = 40_000_000;

/// All cases, each in both directions. `bytes` is how much the small ones send.
pub(super) fn scripts(bytes: u64) -> Vec<Script> {
    let cases = [ends(bytes), unread(bytes), full()].concat();
    let mirrored: Vec<_> = cases.iter().map(Script::mirrored).collect();
    [cases, mirrored, bare(bytes)].concat()
}

fn ends(bytes: u64) -> Vec<Script> {
    vec![
        Script::new("nothing is sent")
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .then(Target, Close)
            .expects(Open, End)
            .exact(),
        Script::new("a request that ends with FIN, then the answer")
            .then(Client, SendTo(bytes))
            .then(Client, Finish)
            .then(Target, ReadToEnd)
            .then(Target, SendTo(1_000_000))
            .meanwhile(Client, ReadToEnd)
            .meanwhile(Target, Close)
            .expects(End, End)
            .exact(),
        Script::new("a request, then an answer that ends with close")
            .then(Client, SendTo(bytes))
            .then(Target, ReadTo(bytes))
            .then(Target, SendTo(1_000_000))
            .meanwhile(Target, Close)
            .meanwhile(Client, ReadToEnd)
            .expects(End, Open)
            .exact(),
        Script::new("a reset by the reader in the middle of a stream")
            .meanwhile(Client, SendTo(LARGE))
            .meanwhile(Target, ReadTo(1_000_000))
            .meanwhile(Target, Step::Reset)
            .expects(Reset, Open),
        Script::new("a reset by the writer in the middle of a stream")
            .meanwhile(Client, SendTo(2_000_000))
            .meanwhile(Target, ReadTo(1_000_000))
            .then(Client, Step::Reset)
            .then(Target, ReadToEnd)
            .expects(Open, Reset),
    ]
}

/// In Linux, closing a socket with unread bytes sends a RST, as RFC 2525, section 2.17, asks.
fn unread(bytes: u64) -> Vec<Script> {
    vec![
        Script::new("closed without reading what came")
            .then(Target, SendTo(bytes))
            .then(Client, Arrival)
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .expects(Open, Reset),
        Script::new("sent, and closed without reading what came")
            .then(Target, SendTo(bytes))
            .then(Client, SendTo(bytes))
            .then(Client, Arrival)
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .expects(Open, Reset),
        Script::new("closed, and then sent to")
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .then(Target, SendTo(bytes))
            .then(Target, SeeReset)
            .expects(Open, EndThenReset)
            .exact(),
    ]
}

/// What happens to a writer whose reader does not read.
fn full() -> Vec<Script> {
    let cases = [
        Script::new("FIN while the window is full")
            .then(Client, Fill)
            .then(Client, Finish)
            .then(Target, ReadToEnd)
            .then(Target, Close)
            .then(Client, ReadToEnd)
            .expects(End, End)
            .exact(),
        Script::new("FIN while both windows are full")
            .meanwhile(Client, Fill)
            .meanwhile(Target, Fill)
            .then(Client, Finish)
            .then(Target, Finish)
            .then(Client, ReadToEnd)
            .then(Target, ReadToEnd)
            .expects(End, End)
            .exact(),
        Script::new("40 MB and FIN to a reader that begins when the window is full")
            .then(Client, Fill)
            .then(Client, SendTo(LARGE))
            .meanwhile(Client, Finish)
            .meanwhile(Target, ReadToEnd)
            .then(Target, Close)
            .then(Client, ReadToEnd)
            .expects(End, End)
            .exact(),
        Script::new("FIN and RST while the window is full")
            .then(Client, Fill)
            .then(Client, Finish)
            .then(Client, Step::Reset)
            .then(Target, ReadToEnd)
            .expects(Open, Reset),
        Script::new("RST by a blocked writer")
            .then(Client, Fill)
            .then(Client, Step::Reset)
            .then(Target, ReadToEnd)
            .expects(Open, Reset),
        Script::new("RST to a blocked writer")
            .then(Client, Fill)
            .then(Target, Step::Reset)
            .then(Client, SeeReset)
            .expects(Reset, Open),
        Script::new("closed without reading while the window is full")
            .then(Client, Fill)
            .then(Target, Close)
            .then(Client, SeeReset)
            .expects(Reset, Open),
    ];
    cases.map(Script::large).into()
}

/// Connections whose client sends nothing that would tell them apart.
fn bare(bytes: u64) -> Vec<Script> {
    vec![
        Script::new("the target speaks first")
            .bare()
            .then(Target, SendTo(bytes))
            .then(Client, ReadTo(bytes))
            .then(Client, SendTo(bytes))
            .then(Target, ReadTo(bytes))
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .expects(Open, End)
            .exact(),
        Script::new("the target speaks, and the client never does")
            .bare()
            .then(Target, SendTo(bytes))
            .then(Target, Close)
            .then(Client, ReadToEnd)
            .expects(End, Open)
            .exact(),
        Script::new("the client connects and closes")
            .bare()
            .then(Client, Close)
            .then(Target, ReadToEnd)
            .expects(Open, End)
            .exact(),
        Script::new("the target accepts and closes")
            .bare()
            .then(Target, Close)
            .then(Client, ReadToEnd)
            .then(Client, Close)
            .expects(End, Open)
            .exact(),
        Script::new("the target accepts and resets")
            .bare()
            .then(Target, Step::Reset)
            .then(Client, ReadToEnd)
            .expects(Reset, Open)
            .exact(),
    ]
}
