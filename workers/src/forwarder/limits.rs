//! Every limit of forwarders and their registration, with its unit and its reason.

use std::time::Duration;

use ockam_actix_runtime::trust::rate::Rate;

/// Forwarders that a hub keeps in all by default: some 10 MiB.
pub const MAX_FORWARDERS: usize = 10_000;

/// Forwarders that one connection may have: more than a node has services, few compared with the
/// total.
pub const MAX_FORWARDERS_PER_CONNECTION: usize = 64;

/// Forwarders that the connections of one source address may have together by default: a quarter of
/// all, so that three others are needed to keep everybody out.
pub const MAX_FORWARDERS_PER_SOURCE: usize = MAX_FORWARDERS / 4;

/// Requests of one connection: enough to register all of its forwarders again, at two requests
/// each, with room for failures; then so many a second. Each may cost a few signatures.
pub const CONNECTION_REQUESTS: Rate = Rate { burst: 160, per_second: 10 };

/// Requests of all connections of one source address: enough to register all of its forwarders
/// again, at two requests each, which cost about a second; then so many a second, which cost some
/// hundredths of a core. Forwarders renew three times in a lease; the renewals of a whole site fit.
pub const SOURCE_REQUESTS: Rate = Rate { burst: 5_120, per_second: 200 };

/// Connections whose requests are remembered before the quiet ones among them are forgotten.
pub const CONNECTIONS_BEFORE_SWEEP: usize = 1_024;

/// How long a forwarder lives without being renewed. The end of its connection ends it at once; the
/// lease is for nodes behind further hubs, whose end no connection here shows.
pub const LEASE: Duration = Duration::from_secs(60);

/// How late the end of a lease may be noticed by a node that runs all the time.
pub const TIMELY: Duration = Duration::from_millis(50);

/// How much longer a lease lasts at most after a pause in which the hub did not run: as long as
/// nodes take between two renewals of the usual lease.
pub const LONGEST_EXTENSION: Duration = Duration::from_secs(20);

/// The longest lease that a node accepts, in seconds: it renews three times within each.
pub const MAX_LEASE_SECONDS: u32 = 24 * 60 * 60;

/// Addresses from a hub to a destination, both ends included. As many are left for the message's
/// own route.
pub const MAX_FORWARDING_ADDRESSES: usize = 8;

/// Bytes of the name of a service: as long as a label of a host's name.
pub const MAX_SERVICE_NAME: usize = 64;

/// Bytes of the text of a refusal: one line of a log.
pub const MAX_REFUSAL_BYTES: usize = 200;

/// The time from the first request of a registration to its end.
pub const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after a registration that the network failed; it doubles each time.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between registrations that the network failed: nobody reaches the destination
/// for so long after the hub can be reached again.
pub const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The pause after the hub's first refusal; it doubles each time. What refuses is mended by people,
/// but a hub that is starting refuses for some tenths of a second, too.
pub const FIRST_REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between registrations that the hub refused: how long a node may stay away
/// after its hub was mended.
pub const MAX_REFUSAL_PAUSE: Duration = Duration::from_secs(60);

/// Different failures of one outage that are logged. Whoever answers in the hub's place can make
/// up any number of them.
pub const LOGGED_FAILURES: usize = 8;

/// How long a hub of a cluster waits until another one says that it has a forwarder: many times the
/// way to the bus and back.
pub const FIND_LIMIT: Duration = Duration::from_secs(1);

/// How long a hub of a cluster waits until it is a member at the hub that has a forwarder.
pub const REACH_LIMIT: Duration = Duration::from_secs(3);

/// Hubs that have a forwarder and are tried, one after the other: as many as outlets list, and few
/// enough that whoever waits is told within seconds.
pub const HUBS_TRIED: usize = 3;

/// How long the peers of a hub that stops have, by default, to move to other hubs: those that can
/// move need about a second, and who restarts a hub waits so long for one that hangs.
pub const MOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the channels that came through a hub which stops go on after the forwarder has moved:
/// by then, connections have moved too, and all hubs of a cluster know that the forwarder has left.
pub const MOVE_PAUSE: Duration = Duration::from_millis(500);

/// How long a hub of a cluster that stops goes on after its last forwarder has moved: the channels
/// that end after [`MOVE_PAUSE`] still say so through it.
pub const MOVE_LINGER: Duration = Duration::from_millis(1_500);

/// How long a node waits for a hub that has said that it stops, until it registers there again: a
/// hub that goes on all the same gets its forwarders back.
pub const STOPPING_HUB_PATIENCE: Duration = Duration::from_secs(120);

/// Forwarders that one hub of a cluster looks for at the same time: each takes a few milliseconds,
/// or [`FIND_LIMIT`] if nobody has it.
pub const LOOKUPS: usize = 4_096;

/// How many lookups the connections of one source address may have for each that is left to
/// others.
pub const LOOKUPS_SHARE: usize = 1;

/// Lookups of one source address that find nothing: its whole share at once, for the inlets of a
/// site whose outlets are away; then so many a second. Each asks all other hubs.
pub const LOOKUPS_MISSED: Rate = Rate { burst: 2_048, per_second: 200 };

/// Messages that wait while one forwarder is looked for: those that a handshake begins with, and
/// their repetitions.
pub const STRAYS_PER_ADDRESS: usize = 64;

/// How long a hub of a cluster remembers where a forwarder is that nobody sends to.
pub const STAND_IN_IDLE: Duration = Duration::from_secs(60);

/// Proofs of one source address that it is a certain hub: one for each connection of a hub is
/// needed, and each costs up to 32 signatures to check.
pub const INTRODUCTIONS: Rate = Rate { burst: 32, per_second: 4 };

/// How often a hub of a cluster says that it is there.
pub const THERE_EVERY: Duration = Duration::from_secs(5);

/// How long a hub of a cluster may be silent before it may have missed what others said: two of its
/// words may be lost.
pub const HUB_SILENT: Duration = Duration::from_secs(12);

/// Hubs of a cluster that are remembered, those heard last: many times what a cluster has, and some
/// 100 KiB.
pub const MAX_HUBS: usize = 256;

/// Claims in one message of a hub: 40 KiB, a small part of what NATS lets through.
pub const CLAIMS_PER_MESSAGE: usize = 512;

/// The pause between two such messages: 20,000 claims a second, or 1.6 MB, so that a million take
/// less than a lease.
pub const CLAIMS_PAUSE: Duration = Duration::from_millis(25);

/// How often a hub tells all of its claims, at most, whoever makes new hubs up; it may be some
/// times in advance. With the time until it hears another hub and the time until a node renews,
/// less than a lease.
pub const CLAIMS_AGAIN: Duration = Duration::from_secs(20);

/// Bytes of the proof of a displacement: an identity, a destination and some numbers.
pub const MAX_DISPLACEMENT_BYTES: usize = 8 * 1024;

/// How far a hub's clock may be ahead of another one's that follows it. A greater error is that of
/// a hub that lies, or needs its clock set.
pub const MAX_CLOCK_AHEAD: Duration = Duration::from_secs(60 * 60);

/// How far the tenure of a registration at another hub may be ahead of a hub's clock that follows
/// it. Programs can make tenures up: half of the above, so that no clock that followed one looks
/// wrong to a third hub, unless the two are half an hour apart.
pub const MAX_TENURE_AHEAD: Duration = Duration::from_secs(30 * 60);
