//! What streams may hold, whoever they belong to and however many there are.

use ockam_actix_runtime::trust::origin::{Door, Ingress};

use super::*;

const MIB: u64 = 1024 * 1024;

/// Grows the window of a stream whose reader takes everything, until it grows no more.
fn grow(slot: &mut StreamSlot) -> u64 {
    let mut window = slot.first_window();
    loop {
        let next = (2 * window).min(slot.receive_cap());
        if next <= window {
            return window;
        }
        window = next;
        slot.promise(window);
    }
}

fn slots(pool: &Arc<StreamPool>, count: usize) -> Vec<StreamSlot> {
    (0..count).map(|_| pool.clone().enter(&Origin::Local).unwrap()).collect()
}

#[test]
fn a_stream_among_idle_ones_can_grow() {
    let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
    let idle = slots(&pool, 100);
    assert_eq!(idle[0].first_window(), INITIAL_WINDOW);
    assert_eq!(idle[99].first_window(), MIN_WINDOW);
    assert!(grow(&mut pool.clone().enter(&Origin::Local).unwrap()) > 8 * MIB);
    assert_eq!(
        grow(&mut Arc::new(StreamPool::new(&NodeLimits::default())).enter(&Origin::Local).unwrap()),
        MAX_WINDOW
    );
}

#[test]
fn stalled_streams_hold_little_more_than_the_budget() {
    for count in [2, 30, 200] {
        let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
        let mut all = slots(&pool, count);
        let held: u64 = all.iter_mut().map(grow).sum();
        assert_eq!(held, pool.promised.load(Ordering::Relaxed));
        assert!(
            held <= NodeLimits::default().stream_bytes + count as u64 * MIN_WINDOW,
            "{count}: {held}"
        );
    }
}

#[test]
fn late_streams_find_room_after_others_have_stalled() {
    let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
    let mut all = Vec::new();
    for count in 1..=500 {
        let mut slot = pool.clone().enter(&Origin::Local).unwrap();
        let window = grow(&mut slot);
        assert!(count > 10 || window >= INITIAL_WINDOW, "{count}: {window}");
        all.push(slot);
        let held = pool.promised.load(Ordering::Relaxed);
        assert!(held <= NodeLimits::default().stream_bytes + count * MIN_WINDOW, "{count}: {held}");
    }
}

#[test]
fn large_windows_make_room_for_growing_ones() {
    let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
    let mut all = slots(&pool, 4);
    let mut windows = [0; 4];
    // Readers that go on: a window follows its cap down as well.
    for _ in 0..30 {
        for (slot, window) in all.iter_mut().zip(&mut windows) {
            *window = (*window * 2).clamp(MIN_WINDOW, slot.receive_cap());
            slot.promise(*window);
        }
    }
    let least = windows.into_iter().min().unwrap();
    assert!(
        least >= (NodeLimits::default().stream_bytes / 8 * GROWTH_EIGHTHS) / 4 - MIB,
        "{windows:?}"
    );
    drop(all);
    let counts = [&pool.promised, &pool.grown, &pool.retained];
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [0; 3]);
    assert_eq!(pool.open(), 0);
}

#[test]
fn suspended_streams_keep_little_more_than_the_budget() {
    let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
    let mut all = slots(&pool, 1_000);
    for slot in &mut all {
        slot.retain(slot.retain_cap());
    }
    let kept = pool.retained.load(Ordering::Relaxed);
    assert_eq!(kept, all.iter().map(|slot| slot.retained).sum::<u64>());
    assert!(kept <= NodeLimits::default().stream_bytes + 1_000 * MIN_RETAINED, "{kept}");
    assert_eq!(all[0].retained, 14 * MIB, "half of what was free");
    drop(all);
    assert_eq!(pool.retained.load(Ordering::Relaxed), 0);
}

fn channel(peer: u8, source: Option<&str>) -> Origin {
    let door = Door::Channel {
        peer: Identifier::from_bytes([peer; 32]),
        channel: Address::random(),
        grants: None,
    };
    let source = source.map(|address| SourceAddress::of(address.parse().unwrap()));
    Origin::Remote(Arc::new(Ingress { via: Address::random(), door, source }))
}

/// Opens all the streams that it may; `origin` is asked for each.
fn fill(
    pool: &Arc<StreamPool>,
    mut origin: impl FnMut(usize) -> Origin,
) -> (Vec<StreamSlot>, StreamsFull) {
    let mut slots = Vec::new();
    loop {
        match pool.clone().enter(&origin(slots.len())) {
            Ok(slot) => slots.push(slot),
            Err(full) => return (slots, full),
        }
    }
}

#[test]
fn a_peer_that_acknowledges_nothing_leaves_room() {
    let pool = Arc::new(StreamPool::new(&NodeLimits::default()));
    let mut hostile: Vec<_> =
        (0..200).map(|_| pool.clone().enter(&channel(1, None)).unwrap()).collect();
    for _ in 0..50 {
        for slot in &mut hostile {
            slot.retain((slot.retained + 60 * 1024).min(slot.retain_cap()));
        }
    }
    let other = pool.clone().enter(&channel(2, None)).unwrap();
    assert!(other.retain_cap() > 2 * MIB, "{}", other.retain_cap());
    assert!(pool.clone().enter(&channel(1, None)).unwrap().retain_cap() < MIB);
    drop(hostile);
    drop(other);
    assert!(pool.counts.lock().retained.is_empty());
}

#[test]
fn one_identitys_streams_leave_room_for_others() {
    let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
    let pool = Arc::new(StreamPool::new(&limits));
    let (first, full) = fill(&pool, |_| channel(1, None));
    assert_eq!((first.len(), full), (750, StreamsFull::Share(750)), "over many channels");
    let (second, _) = fill(&pool, |_| channel(2, None));
    assert!(second.len() > 180, "{}", second.len());
    assert!(pool.clone().enter(&channel(3, None)).is_ok());
    drop((first, second));
    assert_eq!(pool.open(), 0);
    assert!(pool.counts.lock().by_holder.is_empty());
}

#[test]
fn made_up_identities_leave_room_for_other_sources() {
    let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
    let pool = Arc::new(StreamPool::new(&limits));
    let (_first, full) = fill(&pool, |count| channel(count as u8, Some("192.0.2.1")));
    assert_eq!(full, StreamsFull::Share(938));
    let (other, _) = fill(&pool, |_| channel(255, Some("192.0.2.2")));
    assert!(other.len() > 40, "{}", other.len());
}

#[test]
fn two_peers_behind_one_source_both_have_streams() {
    let limits = NodeLimits { streams: 1_000, ..NodeLimits::default() };
    let pool = Arc::new(StreamPool::new(&limits));
    let (_first, _) = fill(&pool, |_| channel(1, Some("192.0.2.1")));
    let (second, _) = fill(&pool, |_| channel(2, Some("192.0.2.1")));
    assert!(second.len() > 180, "{}", second.len());
}

#[test]
fn the_cap_differs_from_the_last_descriptor() {
    let limits = NodeLimits { streams: 2, ..NodeLimits::default() };
    let (_two, full) = fill(&Arc::new(StreamPool::new(&limits)), |_| Origin::Local);
    assert_eq!(full, StreamsFull::Node(2));
    let limits = NodeLimits { descriptors: 0, ..NodeLimits::default() };
    let (_none, full) = fill(&Arc::new(StreamPool::new(&limits)), |_| Origin::Local);
    assert_eq!(full, StreamsFull::NoDescriptor);
}
