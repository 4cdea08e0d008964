//! All orders of FIN and RST of both sides, as scripts.

use super::{
    expected::Expected,
    script::{
        Script,
        Side::{self, Client, Target},
        Step,
    },
    EXACT_BYTES,
};

/// What ends a direction, or the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Fin,
    Rst,
}

type Order = Vec<(Side, Event)>;

/// All orders in which each side sends nothing, FIN, RST, or FIN and then RST.
fn orders() -> Vec<Order> {
    let (mut whole, mut last) = (Vec::new(), vec![Order::new()]);
    while !last.is_empty() {
        last = last.iter().flat_map(longer).collect();
        whole.extend(last.clone());
    }
    whole
}

fn longer(order: &Order) -> Vec<Order> {
    let all = Side::BOTH.into_iter().flat_map(|side| [(side, Event::Fin), (side, Event::Rst)]);
    let next = all.filter(|(side, event)| {
        !order.contains(&(*side, *event)) && !order.contains(&(*side, Event::Rst))
    });
    next.map(|event| [order.clone(), vec![event]].concat()).collect()
}

/// The scripts of all orders, with about `bytes` bytes in each direction where there are any.
pub(super) fn scripts(bytes: u64) -> Vec<Script> {
    let observed = orders().into_iter().map(|order| observed(&order, bytes / 8 + 1));
    let silent = orders().into_iter().map(|order| at_once(&order, 0));
    let with_bytes = orders().into_iter().map(|order| at_once(&order, bytes));
    observed.chain(silent).chain(with_bytes).collect()
}

fn name(order: &Order, how: &str) -> String {
    let steps: Vec<_> = order.iter().map(|(side, event)| format!("{side:?} {event:?}")).collect();
    format!("{}, {how}", steps.join(", "))
}

/// The other side sees each event before the next, and every direction that is open before an event
/// carries `chunk` bytes. There is one outcome.
fn observed(order: &Order, chunk: u64) -> Script {
    let mut script = Script::new(name(order, "each seen at once"));
    let (mut sent, mut expected) = ([0; 2], [Expected::Open; 2]);
    for &(side, event) in order {
        let other = side.other();
        let over = expected == [Expected::End; 2]
            || expected.iter().any(|seen| matches!(seen, Expected::Reset | Expected::EndThenReset))
            || order
                .iter()
                .take_while(|before| **before != (side, event))
                .any(|e| e.1 == Event::Rst);
        for writer in [side, other] {
            if !over && expected[writer.other() as usize] == Expected::Open {
                sent[writer as usize] += chunk;
                let end = sent[writer as usize];
                script = script.then(writer, Step::SendTo(end));
                script = script.then(writer.other(), Step::ReadTo(end));
            }
        }
        script = script.then(side, step(event));
        if over {
            continue;
        }
        let seen = match (event, expected[other as usize]) {
            (Event::Fin, _) => (Step::ReadToEnd, Expected::End),
            (Event::Rst, Expected::End) => (Step::SeeReset, Expected::EndThenReset),
            (Event::Rst, _) => (Step::ReadToEnd, Expected::Reset),
        };
        script = script.then(other, seen.0);
        expected[other as usize] = seen.1;
    }
    script.expects(expected[Client as usize], expected[Target as usize]).exact()
}

/// Both sides have sent `bytes` bytes, the events follow each other, and only then is anything
/// read.
fn at_once(order: &Order, bytes: u64) -> Script {
    let mut script = Script::new(name(order, &format!("then reading {bytes} bytes")));
    for side in Side::BOTH {
        script = script.meanwhile(side, Step::SendTo(bytes));
    }
    for &(side, event) in order {
        script = script.then(side, step(event));
    }
    let mut expected = [Expected::Open; 2];
    for reader in Side::BOTH {
        let has = |event| order.contains(&(reader.other(), event));
        let seen = match (has(Event::Fin), has(Event::Rst)) {
            (false, false) => continue,
            (true, false) => Expected::End,
            (false, true) => Expected::Reset,
            (true, true) => Expected::EndOrReset,
        };
        // A side that has reset its own connection reads nothing of it.
        if !order.contains(&(reader, Event::Rst)) {
            expected[reader as usize] = seen;
            script = script.then(reader, Step::ReadToEnd);
        }
    }
    script = script.expects(expected[Client as usize], expected[Target as usize]);
    // How many bytes a RST overtakes is up to chance; a FIN before it keeps them.
    match bytes == 0 || bytes <= EXACT_BYTES && !expected.contains(&Expected::Reset) {
        true => script.exact(),
        false => script,
    }
}

const fn step(event: Event) -> Step {
    match event {
        Event::Fin => Step::Finish,
        Event::Rst => Step::Reset,
    }
}
