//! The examples to start with: what they print is what their comments promise.

use ockam_actix_harness::{
    client::fetch,
    deadline::PATIENCE,
    program::{example, Program},
};

/// Runs an example that ends by itself; returns what it printed.
fn printed_by(name: &str) -> Vec<String> {
    ended(Program::start(&mut example(name)))
}

/// The same of an example that shows what a panic does.
fn printed_by_careless(name: &str) -> Vec<String> {
    let mut program = Program::start(&mut example(name));
    program.may_panic();
    ended(program)
}

fn ended(mut program: Program) -> Vec<String> {
    let status = program.wait_for_exit(PATIENCE);
    assert!(status.success(), "{status}: {program}");
    program.stdout()
}

#[test]
fn hello_worker_is_greeted() {
    assert_eq!(printed_by("hello-worker"), ["Hello, world!"]);
}

#[test]
fn middleware_counting_sees_both_directions() {
    let expected = [
        "1 onward, 0 back",
        "1 onward, 1 back",
        "2 onward, 1 back",
        "2 onward, 2 back",
        "answers: one, two",
    ];
    assert_eq!(printed_by("middleware-counting"), expected);
}

#[test]
fn middleware_compressing_saves_bytes_both_ways() {
    let printed = printed_by("middleware-compressing");
    let [there, back, answer] = &printed[..] else { panic!("{printed:?}") };
    for (line, name) in [(there, "pack"), (back, "unpack")] {
        let words: Vec<_> = line.split(' ').collect();
        let [who, plain, "bytes", "go", "as", packed] = words[..] else { panic!("{line}") };
        assert_eq!(who, format!("{name}:"));
        let (plain, packed): (usize, usize) = (plain.parse().unwrap(), packed.parse().unwrap());
        assert!(plain >= 10_000 && packed < 1_000, "{line}");
    }
    assert_eq!(answer, "10000 letters came back");
}

#[test]
fn periodic_readings_arrive() {
    assert_eq!(printed_by("periodic"), ["reading 1", "reading 2", "reading 3"]);
}

#[test]
fn stream_to_slow_consumer_waits_for_it() {
    let printed = printed_by("stream-to-slow-consumer");
    let [full, waited, took] = &printed[..] else { panic!("{printed:?}") };
    assert!(full.starts_with("no more at once: there is no room"), "{full}");
    let most = waited.strip_prefix("at most ").and_then(|rest| rest.split(' ').next());
    let most: usize = most.and_then(|most| most.parse().ok()).unwrap();
    // A mebibyte of 60,000 bytes each, and one that is being handled.
    assert!((2..=18).contains(&most), "{waited}");
    assert_eq!(took, "the consumer took 6000000 bytes");
}

#[test]
fn restarted_worker_begins_anew_after_a_panic() {
    let printed = printed_by_careless("restarted-worker");
    let expected = [
        "100 / 5: 20 is answer 1",
        "100 / 10: 10 is answer 2",
        "100 / 0: the message could not be delivered: \"divider\": it panicked before it had \
         handled the message",
        "100 / 20: 5 is answer 1",
        "the divider has stopped",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn watching_tells_how_the_shop_ended() {
    let printed = printed_by_careless("watching");
    let expected = [
        "before it opens: it cannot be reached: \"shop\": no such worker, or not reachable \
         from here",
        "after an order of \"tea\": it has stopped",
        "after an order of nothing: the message could not be delivered: \"shop\": it panicked \
         before it had handled the message",
        "after an order of \"\": it has panicked",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn own_rules_let_in_whom_they_trust() {
    assert_eq!(printed_by("own-rules"), ["hello, from a peer that passed the policy"]);
}

#[test]
fn own_transport_answers_over_a_unix_socket() {
    let printed = printed_by("own-transport");
    assert!(printed[0].starts_with("over /") && printed[0].ends_with(": hello"), "{printed:?}");
}

#[test]
fn registration_state_notices_that_the_hub_is_gone() {
    assert_eq!(printed_by("registration-state"), ["registered: true, 1 time", "registered: false"]);
}

#[test]
fn routing_hops_shows_both_routes_at_each_hop() {
    let printed = printed_by("routing-hops");
    let (_, sender) = printed[1].split_once("h1: return ").unwrap();
    let random = sender.strip_prefix("mailbox-").unwrap();
    assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let expected = [
        // There.
        "h1: onward h2 => h3 => echoer",
        "h1: return SENDER",
        "h2: onward h3 => echoer",
        "h2: return h1 => SENDER",
        "h3: onward echoer",
        "h3: return h2 => h1 => SENDER",
        // And back.
        "h3: onward h2 => h1 => SENDER",
        "h3: return echoer",
        "h2: onward h1 => SENDER",
        "h2: return h3 => echoer",
        "h1: onward SENDER",
        "h1: return h2 => h3 => echoer",
        "answer: hello (return h1 => h2 => h3 => echoer)",
    ];
    let printed: Vec<_> = printed.iter().map(|line| line.replace(sender, "SENDER")).collect();
    assert_eq!(printed, expected);
}

#[test]
fn routing_over_tcp_is_answered_over_two_connections() {
    let printed = printed_by("routing-over-tcp");
    assert!(printed[0].starts_with("onward: tcp#127.0.0.1:"), "{printed:?}");
    assert!(printed[0].ends_with(" => to_last => echoer"), "{printed:?}");
    assert_eq!(printed[1..], ["answer: hello over two hops"]);
}

#[test]
fn secure_channel_over_hops_hides_the_plaintext() {
    let printed = printed_by("secure-channel-over-hops");
    assert!(printed.iter().any(|line| line == "answer: a secret"), "{printed:?}");
    let seen: Vec<_> = printed.iter().filter_map(|line| bytes_seen(line)).collect();
    // Three messages of the handshake, then at least the question and its answer.
    assert!(seen.len() >= 5, "{printed:?}");
    assert!(seen.iter().all(|bytes| bytes.len() == 24), "{printed:?}");
    let seen = seen.concat();
    for secret in [&b"a secret"[..], b"secret", b"echoer"] {
        assert!(!seen.windows(secret.len()).any(|window| window == secret), "{printed:?}");
    }
}

fn bytes_seen(line: &str) -> Option<Vec<u8>> {
    let bytes = line.strip_prefix("middle node sees: [")?.strip_suffix(']')?;
    Some(bytes.split(", ").map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect())
}

#[test]
fn actix_web_over_channel_answers_from_remote_worker() {
    let program = Program::start(example("actix-web-over-channel").arg("127.0.0.1:0"));
    let address = program.wait_for_address("try: curl http://");
    for _ in 0..3 {
        assert_eq!(fetch(address, "/hello"), Ok("the remote worker says: hello\n".into()));
    }
}

#[test]
fn embed_in_actix_web_ends_with_its_server() {
    let mut program = Program::start(&mut example("embed-in-actix-web"));
    let address = program.wait_for_address("try: curl http://");
    assert_eq!(fetch(address, "/hello"), Ok("hello".into()));
    program.terminate();
    assert!(program.wait_for_exit(PATIENCE).success());
}

#[test]
fn embed_in_tokio_asks_from_any_task() {
    assert_eq!(printed_by("embed-in-tokio"), ["the echoer says: hello"]);
}

#[test]
fn several_nodes_have_workers_of_one_name() {
    assert_eq!(printed_by("several-nodes"), ["here and there"]);
}
