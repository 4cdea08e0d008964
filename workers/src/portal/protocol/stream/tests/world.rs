//! An inlet, an outlet that may be restarted, and one path after the other between them.

use std::{collections::VecDeque, time::Duration};

use crate::portal::{
    limits::EARLY_CREDIT,
    protocol::{
        message::Control,
        reason::{ResetReason, StreamRefusal},
        resumption::{OutletLife, StreamSecret},
        strays::Strays,
        stream::{
            tests::{
                end::{Plan, Side, Wire},
                link::{INLET, OUTLET},
            },
            Stream,
        },
    },
};

pub(super) const SECRET: StreamSecret = StreamSecret::from_bytes([9; 16]);

/// How the two ends are configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) plans: [Plan; 2],
    pub(super) offers: bool,
    pub(super) keeps: bool,
    /// Whether the inlet knows the outlet's first life before it opens.
    pub(super) knows: bool,
}

/// One path: what is in flight to each end, and which directions are cut.
#[derive(Default)]
struct Path {
    to: [VecDeque<Wire>; 2],
    cut: [bool; 2],
}

/// Everything.
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) inlet: Side,
    /// The outlet's streams, the last one first in use; each has a target connection of its own.
    pub(super) outlets: Vec<Side>,
    paths: Vec<Path>,
    /// The path that each end uses; an end takes nothing from another.
    uses: [usize; 2],
    life: u64,
    /// By the numbers of their paths.
    strays: Strays<usize>,
    pub(super) now: Duration,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let mut inlet = Stream::inlet(setting.plans[INLET].receive_cap);
        if setting.offers {
            inlet = inlet.resumable_by(SECRET, OutletLife::new(u64::from(setting.knows)));
        }
        let mut world = Self {
            setting,
            inlet: Side::new(inlet, setting.plans[INLET], true),
            outlets: Vec::new(),
            paths: vec![Path::default()],
            uses: [0; 2],
            life: 1,
            strays: Strays::default(),
            now: Duration::ZERO,
        };
        world.act(INLET);
        world
    }

    pub(super) fn side(&mut self, at: usize) -> Option<&mut Side> {
        match at {
            INLET => Some(&mut self.inlet),
            _ => self.outlets.last_mut(),
        }
    }

    fn life(&self) -> Option<OutletLife> {
        OutletLife::new(self.life).filter(|_| self.setting.keeps)
    }

    fn transmit(&mut self, from: usize, said: Vec<Wire>) {
        let path = &mut self.paths[self.uses[from]];
        if !path.cut[1 - from] {
            path.to[1 - from].extend(said);
        }
    }

    /// Does what an end asks for, and checks what must always hold.
    pub(super) fn act(&mut self, at: usize) {
        let Some(side) = self.side(at) else { return };
        let was_over = side.is_over();
        let said = side.act();
        let forgotten = !was_over && side.is_over() && side.stream.leaves_doubt();
        let (retained, cap) = (side.retained(), side.plan.retain_cap);
        // What Opened grants comes on top of the early bytes, which it does not acknowledge.
        let window = self.setting.plans[1 - at].receive_cap + EARLY_CREDIT;
        assert!(retained <= cap.min(window), "{retained} bytes are kept");
        self.life += u64::from(forgotten);
        self.transmit(at, said);
        let reached = self.outlets.iter().filter(|outlet| outlet.reached).count();
        assert!(reached <= 1, "the client's bytes reached {reached} targets");
    }

    /// Lets an event happen at an end, and does what it asks for.
    pub(super) fn at<T: Default>(&mut self, at: usize, event: impl FnOnce(&mut Side) -> T) -> T {
        let Some(side) = self.side(at).filter(|side| !side.is_over()) else {
            return T::default();
        };
        let result = event(side);
        self.act(at);
        result
    }

    pub(super) fn send(&mut self, at: usize, most: u64, ride: bool) -> bool {
        let Some(side) = self.side(at).filter(|side| !side.is_over()) else { return false };
        let said = side.send(most, ride);
        let moved = !said.is_empty();
        self.transmit(at, said);
        self.act(at);
        moved
    }

    pub(super) fn take(&mut self, at: usize, most: u64) -> bool {
        let now = self.now;
        self.at(at, |side| side.take(most, now))
    }

    /// Brings the next message of its path to an end.
    pub(super) fn carry(&mut self, to: usize) -> bool {
        let path = self.uses[to];
        match self.paths[path].to[to].pop_front() {
            Some(wire) if to == OUTLET => self.arrive_at_outlet(path, wire),
            Some(wire) => self.arrive(INLET, &wire),
            None => return self.carry_to_name(),
        }
        true
    }

    /// Brings a message to the outlet's name, to which the inlet's present path leads.
    fn carry_to_name(&mut self) -> bool {
        let path = self.uses[INLET];
        let Some(wire) = self.paths[path].to[OUTLET].pop_front() else { return false };
        self.arrive_at_outlet(path, wire);
        true
    }

    /// What was sent to the outlet's name along an older path comes after all.
    pub(super) fn carry_late(&mut self, path: usize) {
        let path = path % self.paths.len();
        if let Some(Wire::Control(Control::Open { .. } | Control::Resume { .. })) =
            self.paths[path].to[OUTLET].front()
        {
            if let Some(wire) = self.paths[path].to[OUTLET].pop_front() {
                self.arrive_at_outlet(path, wire);
            }
        }
    }

    fn arrive_at_outlet(&mut self, path: usize, wire: Wire) {
        match wire {
            Wire::Control(Control::Open { secret: Some(secret), .. })
                if !self.strays.admits_open(secret, &path) => {}
            Wire::Control(Control::Resume { secret, attempt, .. })
                if !self.strays.admits_resume(secret, attempt) => {}
            Wire::Control(Control::Open { limit, secret, .. }) => {
                // One that is not kept has yet to notice that its path is lost.
                self.at(OUTLET, |side| assert!(!side.stream.suspend(), "two at once"));
                let plan = self.setting.plans[OUTLET];
                let mut stream = Stream::outlet(limit, plan.receive_cap).unwrap();
                if let Some((_, life)) = secret.zip(self.life()) {
                    stream = stream.kept_by(life);
                }
                self.outlets.push(Side::new(stream, plan, false));
                self.uses[OUTLET] = path;
            }
            Wire::Control(Control::Resume { secret, attempt, received, limit }) => {
                assert_eq!(secret, SECRET);
                let known = self
                    .outlets
                    .last_mut()
                    .filter(|side| !side.is_over() && side.stream.end().is_none());
                let Some(side) = known.filter(|side| side.stream.is_resumable()) else {
                    self.strays.note(secret, attempt, path);
                    let unknown = Control::Unknown { life: self.life() };
                    if !self.paths[path].cut[INLET] {
                        self.paths[path].to[INLET].push_back(Wire::Control(unknown));
                    }
                    return;
                };
                if side.stream.resumed_by(attempt, received, limit).is_ok() {
                    let is_old = path < self.uses[OUTLET];
                    assert!(!is_old, "an older resume takes the stream from a newer one");
                    self.uses[OUTLET] = path;
                    self.act(OUTLET);
                }
            }
            wire if path == self.uses[OUTLET] => self.arrive(OUTLET, &wire),
            // Nobody is at its address: a notice comes back.
            _ if path == self.uses[INLET] => self.lose(INLET),
            _ => {}
        }
    }

    fn arrive(&mut self, to: usize, wire: &Wire) {
        let is_shared = self.uses[INLET] == self.uses[OUTLET];
        match self.side(to).filter(|side| !side.is_over()) {
            Some(side) => {
                side.handle(wire);
                self.act(to);
            }
            // A notice comes back.
            None if is_shared => self.lose(1 - to),
            None => {}
        }
    }

    /// The target is connected, and takes some of what waits before `Opened` is said.
    pub(super) fn connect(&mut self, takes: u64) {
        let now = self.now;
        self.at(OUTLET, |side| {
            if side.stream.end().is_none() && !side.connected {
                side.connected = true;
                side.stream.connected();
                side.take(takes, now);
            }
        });
    }

    pub(super) fn refuse(&mut self) {
        self.at(OUTLET, |side| side.stream.refuse(StreamRefusal::Unreachable));
    }

    /// From message `after` on, nothing that is on its way to an end arrives any more.
    pub(super) fn cut(&mut self, to: usize, after: usize) {
        for path in [self.uses[INLET], self.uses[OUTLET]] {
            self.paths[path].to[to].truncate(after);
            self.paths[path].cut[to] = true;
        }
    }

    /// An end has waited for too long.
    pub(super) fn give_up(&mut self, at: usize) -> bool {
        self.at(at, |side| {
            let is_suspended = side.stream.is_suspended();
            if is_suspended {
                side.stream.give_up();
            }
            is_suspended
        })
    }

    /// An end notices that its path is lost; the other may still get what is in flight.
    pub(super) fn lose(&mut self, at: usize) {
        self.paths[self.uses[at]].cut = [true; 2];
        self.at(at, |side| side.stream.suspend());
    }

    /// The inlet resumes along a new path.
    pub(super) fn resume(&mut self) -> bool {
        let Some(first) = self.at(INLET, |side| {
            side.stream.is_suspended().then(|| side.stream.resume()).flatten().map(|first| {
                let farewell = side.act();
                [vec![Wire::Control(first)], farewell].concat()
            })
        }) else {
            return false;
        };
        self.paths.push(Path::default());
        self.uses[INLET] = self.paths.len() - 1;
        self.transmit(INLET, first);
        true
    }

    /// The outlet's process is killed and started again: nothing is said, and its
    /// connections are lost.
    pub(super) fn restart_outlet(&mut self) {
        self.life += 1_000;
        for path in &mut self.paths {
            path.to[OUTLET].clear();
            path.cut = [true; 2];
        }
        if let Some(side) = self.outlets.last_mut().filter(|side| !side.is_over()) {
            side.kill();
        }
    }

    pub(super) fn stop(&mut self, at: usize) {
        self.at(at, |side| side.stream.stop(ResetReason::Stopped));
    }

    /// Whether the outlet said that it does not know the stream.
    pub(super) fn was_unknown(&self) -> bool {
        !self.strays.admits_resume(SECRET, 0)
    }

    /// Whether the present path carries both directions for both ends.
    pub(super) fn is_whole(&self) -> bool {
        let ends = [Some(&self.inlet), self.outlets.last()];
        let waits = |side: &Side| !side.is_over() && side.stream.is_suspended();
        self.uses[INLET] == self.uses[OUTLET]
            && self.paths[self.uses[INLET]].cut == [false; 2]
            && !ends.into_iter().flatten().any(waits)
    }
}
