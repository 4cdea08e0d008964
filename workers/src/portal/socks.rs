//! SOCKS5, as the inlet speaks it with clients that name their servers: [RFC
//! 1928](https://www.rfc-editor.org/rfc/rfc1928), CONNECT alone, without authentication.
//!
//! Written here and not taken from a crate: what there is reads and writes streams of tokio, and
//! reads ahead, whereas an inlet's socket goes to its stream with all that follows the request.
//!
//! | idea | module |
//! |---|---|
//! | what the messages say; pure | `wire` |
//! | the exchange with one client | `handshake` |

pub(crate) mod handshake;
pub(crate) mod wire;
