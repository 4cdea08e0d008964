//! What each step of the guide carries, with one arbiter and with two in every program.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    thread,
};

use ockam_actix_harness::{
    client::{connect, download, fetch, upload, upload_until_closed, Ended},
    deadline::PATIENCE,
    network::in_own_network,
    pattern::Pattern,
    target::{Target, PAGE},
    transfer::send,
};

use crate::tunnel::{step_01, step_02, step_03, step_04, Step};

/// What is tunnelled in each direction, in bytes.
const LARGE: u64 = 200_000_000;

/// Clients at a time, and what each of them downloads, in bytes.
const CLIENTS: u64 = 50;
const SMALL: u64 = 4_000_000;

/// Runs a check on a step's tunnel.
fn through(step: Step, arbiters: usize, check: fn(SocketAddr, &Target)) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), arbiters);
    check(tunnel.inlet, &target);
    for program in &mut tunnel.programs {
        assert!(program.is_running(), "{program}");
        let said = program.stderr();
        // Step 03's listener is reached directly and trusts everybody, and says so.
        let is_known = |line: &str| line.contains("trusts everybody");
        let is_warning = |line: &&String| line.contains("WARN") && !is_known(line);
        let warnings: Vec<_> = said.iter().filter(is_warning).collect();
        assert!(warnings.is_empty(), "all went well, but {program} warns: {warnings:?}");
    }
}

fn a_page(inlet: SocketAddr, _: &Target) {
    for _ in 0..3 {
        assert_eq!(fetch(inlet, "/"), Ok(PAGE.into()));
    }
}

fn a_large_download(inlet: SocketAddr, _: &Target) {
    assert_eq!(download(inlet, LARGE, 1), Ended::Whole);
}

fn a_large_upload(inlet: SocketAddr, target: &Target) {
    assert_eq!(upload(inlet, LARGE, 2).unwrap(), format!("took {LARGE}"));
    assert_eq!(target.next_end(), Ok(LARGE));
}

fn many_downloads(inlet: SocketAddr, target: &Target) {
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|seed| scope.spawn(move || download(inlet, SMALL, seed))).collect();
        for client in clients {
            assert_eq!(client.join().unwrap(), Ended::Whole);
        }
    });
    assert_eq!(target.accepted() as u64, CLIENTS);
}

fn half_closed_by_the_client(inlet: SocketAddr, target: &Target) {
    for count in [0, 1, 1_000_000] {
        let answer = upload_until_closed(inlet, count, 3).unwrap();
        assert_eq!(answer, format!("took {count}"));
        assert_eq!(target.next_end(), Ok(count));
    }
}

fn half_closed_by_the_target(inlet: SocketAddr, target: &Target) {
    let mut client = connect(inlet, PATIENCE).unwrap();
    writeln!(client, "FINISH FIRST 4").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bye\n");
    send(&client, 1_000_000, &Pattern::new(4)).unwrap();
    drop(client);
    assert_eq!(target.next_end(), Ok(1_000_000));
}

fn echoes(inlet: SocketAddr, _: &Target) {
    let mut client = connect(inlet, PATIENCE).unwrap();
    writeln!(client, "ECHO").unwrap();
    for size in [1, 10, 10_000, 100_000, 1] {
        let sent = vec![u8::try_from(size % 251).unwrap(); size];
        client.write_all(&sent).unwrap();
        let mut echoed = vec![0; size];
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, sent);
    }
}

/// The checks for each step and number of arbiters, each a test of its own.
macro_rules! each_step {
    ($($step:ident: $($arbiters:ident = $count:literal),+;)+) => {$(
        mod $step {$(
            mod $arbiters {
                use super::super::*;

                fn check(check: fn(SocketAddr, &Target)) {
                    through(super::super::$step, $count, check);
                }

                each_step!(checks:
                    carries_a_page = a_page,
                    carries_a_large_download = a_large_download,
                    carries_a_large_upload = a_large_upload,
                    carries_many_downloads_at_a_time = many_downloads,
                    answers_a_client_that_has_closed_its_direction = half_closed_by_the_client,
                    takes_more_after_the_target_closed_its_direction = half_closed_by_the_target,
                    echoes_small_and_large_messages = echoes,
                );
            }
        )+}
    )+};
    (checks: $($test:ident = $check:ident,)+) => {$(
        #[test]
        fn $test() {
            in_own_network(|| check($check));
        }
    )+};
}

each_step! {
    step_01: with_one_arbiter = 1, with_two_arbiters = 2;
    step_02: with_one_arbiter = 1, with_two_arbiters = 2;
    step_03: with_one_arbiter = 1, with_two_arbiters = 2;
    step_04: with_one_arbiter = 1, with_two_arbiters = 2;
}
