//! Faults by chance: what breaks, for how long, and how it is mended.

use std::time::Duration;

use ockam::testing::{LinkOptions, Network, TestNode};

/// What breaks.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Cut { link: usize },
    Slow { link: usize, latency: Duration, rate: u64 },
    Lossy { link: usize, per_mille: u16 },
    Isolated { node: usize },
    Killed { node: usize },
    Crashed { node: usize },
}

/// Where faults happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Anywhere.
    Everywhere,
    /// On the links and between the nodes at the two ends, which themselves go on.
    Between,
}

/// The links of the nodes, by the names of their ends.
pub type Links = &'static [(&'static str, &'static str)];

/// Has `rounds` faults happen, one or two at a time, none for more than a minute, and mends all of
/// them.
pub async fn disturb(
    net: &Network,
    nodes: &mut [TestNode],
    links: Links,
    (place, rounds): (Where, u64),
) {
    for _ in 0..rounds {
        pause(net, 8_000).await;
        let count = 1 + net.random(2);
        let faults: Vec<_> =
            (0..count).map(|_| choose(net, place, nodes.len(), links.len())).collect();
        faults.iter().for_each(|fault| begin(net, *fault, nodes, links));
        pause(net, 60_000).await;
        faults.into_iter().for_each(|fault| end(net, fault, nodes, links));
    }
}

/// A pause of at most so many milliseconds, mostly a short one.
async fn pause(net: &Network, most: u64) {
    let most = most >> net.random(8);
    net.sleep(Duration::from_millis(net.random(most + 1))).await;
}

fn choose(net: &Network, place: Where, nodes: usize, links: usize) -> Fault {
    let [link, node] = [links, nodes].map(|count| net.random(count as u64) as usize);
    let goes_on = place == Where::Between && (node == 0 || node == nodes - 1);
    match net.random(if goes_on { 5 } else { 7 }) {
        0 | 1 => Fault::Cut { link },
        2 => {
            let latency = Duration::from_millis(net.random(2_000));
            Fault::Slow { link, latency, rate: 5_000 + net.random(100_000) }
        }
        3 => Fault::Lossy { link, per_mille: net.random(500) as u16 },
        4 => Fault::Isolated { node },
        5 => Fault::Killed { node },
        _ => Fault::Crashed { node },
    }
}

fn begin(net: &Network, fault: Fault, nodes: &[TestNode], links: Links) {
    net.note(format_args!("fault: {fault:?}"));
    match fault {
        Fault::Cut { link } => net.cut(links[link].0, links[link].1),
        Fault::Slow { link, latency, rate } => {
            let options = LinkOptions::new().latency(latency).bytes_per_second(rate);
            net.set_link(links[link].0, links[link].1, options);
        }
        Fault::Lossy { link, per_mille } => {
            let jitter = Duration::from_millis(30);
            let options = LinkOptions::new().jitter(jitter).loss_per_mille(per_mille);
            net.set_link(links[link].0, links[link].1, options);
        }
        Fault::Isolated { node } => {
            of_node(&nodes[node], links).for_each(|(one, other)| net.cut(one, other));
        }
        Fault::Killed { node } => nodes[node].kill(),
        Fault::Crashed { node } => nodes[node].crash(),
    }
}

fn end(net: &Network, fault: Fault, nodes: &mut [TestNode], links: Links) {
    match fault {
        Fault::Cut { link } => net.mend(links[link].0, links[link].1),
        Fault::Slow { link, .. } | Fault::Lossy { link, .. } => {
            net.set_link(links[link].0, links[link].1, LinkOptions::new());
        }
        Fault::Isolated { node } => {
            of_node(&nodes[node], links).for_each(|(one, other)| net.mend(one, other));
        }
        Fault::Killed { node } | Fault::Crashed { node } => {
            net.note(format_args!("{:?} is started again", nodes[node]));
            // It may have to wait until other faults have ended.
            drop(nodes[node].restart());
        }
    }
}

fn of_node(
    node: &TestNode,
    links: Links,
) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
    let name = node.host().name();
    links.iter().copied().filter(move |(one, other)| *one == name || *other == name)
}
