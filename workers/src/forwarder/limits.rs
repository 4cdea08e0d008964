//! Every limit of forwarders and their registration, with its unit and its reason.

use std::time::Duration;

/// Forwarders that a hub keeps in all, unless it is told otherwise: some 10 MiB.
pub const MAX_FORWARDERS: usize = 10_000;

/// Forwarders that one connection may have: more than the services of a node, few beside the total.
pub const MAX_FORWARDERS_PER_CONNECTION: usize = 64;

/// Requests that one connection may make at once: all of its forwarders again, two requests each,
/// with room for what went wrong.
pub const REQUEST_BURST: u32 = 160;

/// Requests a second that one connection may make after that; each may cost a few signatures.
pub const REQUESTS_PER_SECOND: u32 = 10;

/// Connections remembered for their requests before those that have been quiet are forgotten.
pub const SOURCES_BEFORE_SWEEP: usize = 1_024;

/// How long a forwarder lives without being renewed. The end of its connection ends it at once; the
/// lease is for nodes behind further hubs, whose end no connection here tells.
pub const LEASE: Duration = Duration::from_secs(60);

/// The longest lease that a node accepts, in seconds: it renews three times within each.
pub const MAX_LEASE_SECONDS: u32 = 24 * 60 * 60;

/// Addresses from a hub to a destination, both ends included. As many remain for the message.
pub const MAX_FORWARDING_ADDRESSES: usize = 8;

/// Bytes of the text of a refusal: one line of a log.
pub const MAX_REFUSAL_BYTES: usize = 200;

/// From the first request of a registration to its end.
pub const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after the first registration that failed; it doubles each time.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between registrations.
pub const MAX_PAUSE: Duration = Duration::from_secs(5);
