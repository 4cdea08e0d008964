//! The figures as OpenMetrics text, for Prometheus. `docs/console.md` lists them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use ockam_actix_runtime::{
    metrics::{
        histogram::{Histogram, BOUNDS},
        link::{Link, Opener},
        Metrics,
    },
    trust::refusal_log::RefusalCount,
};
use prometheus_client::{
    collector::Collector,
    encoding::{text::encode, DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use crate::console::{api::Process, nodes::Shown, public_text::public, words::direction};

/// All figures of the nodes now.
pub(super) fn text(nodes: Vec<Shown>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(nodes)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Figures(Vec<Shown>);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let nodes: Vec<_> = self.0.iter().map(Counted::of).collect();
        let mut figures = Encoder { nodes: &nodes, encoder };
        figures.info()?;
        figures.links()?;
        figures.portals()?;
        figures.counters()?;
        figures.cluster()?;
        figures.times()?;
        figures.process(&Process::now())
    }
}

/// A label and its value.
type Label = (&'static str, String);

/// A histogram of a node, and its labels.
type Timed<const N: usize> = ([(&'static str, &'static str); N], fn(&Metrics) -> &Histogram);

/// A node and what it has counted.
struct Counted<'a> {
    shown: &'a Shown,
    metrics: Arc<Metrics>,
}

impl<'a> Counted<'a> {
    fn of(shown: &'a Shown) -> Self {
        Self { shown, metrics: Metrics::of(&shown.node) }
    }

    /// Labels of what this node has: the first is its name, if there may be others.
    fn labels<const N: usize>(&self, more: [(&'static str, &str); N]) -> Vec<Label> {
        let name = self.shown.name.iter().map(|name| ("node", name.to_string()));
        name.chain(more.map(|(name, value)| (name, value.to_owned()))).collect()
    }
}

struct Encoder<'n, 'e> {
    nodes: &'n [Counted<'n>],
    encoder: DescriptorEncoder<'e>,
}

impl Encoder<'_, '_> {
    fn describe<'s>(
        &'s mut self,
        name: &'s str,
        help: &'s str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.encoder.encode_descriptor(name, help, unit, kind)
    }

    /// A gauge with a value for each set of labels.
    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (Vec<Label>, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.describe(name, help, None, MetricType::Gauge)?;
        all.into_iter().try_for_each(|(labels, value)| match labels.is_empty() {
            true => encoder.encode_gauge(&value),
            false => encoder.encode_family(&labels)?.encode_gauge(&value),
        })
    }

    /// A gauge of each node.
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Counted<'_>) -> u64,
    ) -> fmt::Result {
        let all = self.nodes.iter().map(|node| (node.labels([]), value(node)));
        self.gauges(name, help, all)
    }

    /// A counter with a value for each set of labels.
    fn counters_of(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        all: impl IntoIterator<Item = (Vec<Label>, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.describe(name, help, unit, MetricType::Counter)?;
        all.into_iter().try_for_each(|(labels, value)| match labels.is_empty() {
            true => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
            false => {
                let mut family = encoder.encode_family(&labels)?;
                family.encode_counter::<NoLabelSet, _, u64>(&value, None)
            }
        })
    }

    /// A counter of each node.
    fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&Counted<'_>) -> u64,
    ) -> fmt::Result {
        let all = self.nodes.iter().map(|node| (node.labels([]), value(node)));
        self.counters_of(name, help, None, all)
    }

    /// A histogram of each node for each of these labels.
    fn histograms<const N: usize, const M: usize>(
        &mut self,
        name: &str,
        help: &str,
        of_node: [Timed<N>; M],
    ) -> fmt::Result {
        let nodes = self.nodes;
        let mut encoder = self.describe(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        let all = nodes.iter().flat_map(|node| of_node.map(|one| (node, one)));
        for (node, (labels, histogram)) in all {
            let (labels, histogram) = (node.labels(labels), histogram(&node.metrics));
            let counts = histogram.counts();
            let bounds = BOUNDS.iter().map(|bound| bound.as_secs_f64()).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(counts).collect();
            let (sum, count) = (histogram.sum().as_secs_f64(), counts.iter().sum());
            match labels.is_empty() {
                true => encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
                false => encoder
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
            }
        }
        Ok(())
    }

    fn info(&mut self) -> fmt::Result {
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        self.describe("ockam", "The program", None, MetricType::Info)?.encode_info(&labels)
    }

    fn links(&mut self) -> fmt::Result {
        let is_up = |link: &Arc<Link>| link.state().since.is_some();
        let mut up = BTreeMap::new();
        for node in self.nodes {
            for (_, link) in node.metrics.connections.all().iter().filter(|(_, link)| is_up(link)) {
                let labels = [
                    ("transport", link.state().transport),
                    ("direction", direction(link.opener).name()),
                ];
                *up.entry(node.labels(labels)).or_default() += 1;
            }
        }
        self.gauges("ockam_connections", "Connections with other nodes", up)?;
        self.gauge("ockam_connections_down", "Connections that are being made again", |node| {
            node.metrics.connections.while_locked(|all| {
                let dialled = all.filter(|(_, link)| link.opener == Opener::Here);
                dialled.filter(|(_, link)| !is_up(link)).count() as u64
            })
        })?;
        let mut bytes = Vec::new();
        for node in self.nodes {
            let [sent, received] = node.metrics.connection_bytes();
            bytes.push((node.labels([("direction", "sent")]), sent));
            bytes.push((node.labels([("direction", "received")]), received));
        }
        self.counters_of(
            "ockam_connection",
            "Bytes over connections with other nodes",
            Some(&Unit::Bytes),
            bytes,
        )?;
        self.gauge("ockam_channels", "Secure channels that are established", |node| {
            let channels = &node.metrics.channels;
            channels.while_locked(|all| all.filter(|(_, c)| is_up(c)).count()) as u64
        })?;
        self.gauge("ockam_forwarders", "Forwarders for other nodes", |node| {
            node.metrics.forwarders.while_locked(|all| all.len()) as u64
        })?;
        let mut registered = BTreeMap::<_, u64>::new();
        for node in self.nodes {
            for (_, link) in node.metrics.registrations.all() {
                let (hub, destination) = (public(&link.name), public(link.address.as_str()));
                let labels = node.labels([("hub", &hub), ("destination", &destination)]);
                // Of two registrations there, one may have been replaced.
                let is_any = registered.entry(labels).or_default();
                *is_any = (*is_any).max(u64::from(is_up(&link)));
            }
        }
        self.gauges("ockam_registered", "Whether a hub forwards to this node", registered)
    }

    fn portals(&mut self) -> fmt::Result {
        // Of two portals with one name, the first has ended and still has streams.
        let mut sums = BTreeMap::<Vec<Label>, [u64; 5]>::new();
        for node in self.nodes {
            for one in node.metrics.portal_figures() {
                let (kind, name) = (one.portal.kind.name(), public(&one.portal.name));
                let more =
                    [one.open, one.suspended, one.portal.begun.count(), one.sent, one.received];
                let labels = node.labels([("portal", kind), ("name", &name)]);
                let sums = sums.entry(labels).or_default();
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        let of =
            |figure: usize| sums.iter().map(move |(labels, all)| (labels.clone(), all[figure]));
        self.gauges("ockam_streams", "Streams, and flows of datagrams, that are open", of(0))?;
        self.gauges("ockam_streams_suspended", "Streams that wait for another path", of(1))?;
        self.counters_of("ockam_streams_begun", "Streams that have begun", None, of(2))?;
        let directed = |figure, direction: &'static str| {
            of(figure).map(move |(mut labels, bytes)| {
                labels.push(("direction", direction.to_owned()));
                (labels, bytes)
            })
        };
        self.counters_of(
            "ockam_stream",
            "Bytes of applications, sent into tunnels and received from them",
            Some(&Unit::Bytes),
            directed(3, "sent").chain(directed(4, "received")),
        )
    }

    fn counters(&mut self) -> fmt::Result {
        let of_node = |node: &Counted<'_>| {
            let refusals = node.shown.node.refusals().counts();
            let counted = |one: &RefusalCount| (node.labels([("rule", one.rule)]), one.count);
            refusals.iter().map(counted).collect::<Vec<_>>()
        };
        let refusals: Vec<_> = self.nodes.iter().flat_map(of_node).collect();
        self.counters_of(
            "ockam_refusals",
            "What was refused or went wrong, by the rule in the log",
            None,
            refusals,
        )?;
        self.counter("ockam_reconnects", "Connections that were made again", |node| {
            node.metrics.reconnects.count()
        })?;
        self.counter("ockam_resumptions", "Streams that went on along another path", |node| {
            node.metrics.resumptions.count()
        })
    }

    fn cluster(&mut self) -> fmt::Result {
        self.counter("ockam_cluster_lookups", "Forwarders that were looked for", |node| {
            node.metrics.cluster.lookups.count()
        })?;
        self.counter("ockam_cluster_found", "Forwarders that another hub has", |node| {
            node.metrics.cluster.found.count()
        })?;
        self.counter("ockam_cluster_not_found", "Forwarders that no hub has", |node| {
            node.metrics.cluster.not_found.count()
        })?;
        self.gauge("ockam_cluster_stand_ins", "Forwarders of other hubs in use", |node| {
            node.metrics.cluster.stand_ins.while_locked(|all| all.len()) as u64
        })?;
        self.histograms(
            "ockam_cluster_find",
            "How long it took to find a forwarder of another hub",
            [([], |metrics| &metrics.cluster.times_to_find)],
        )
    }

    fn times(&mut self) -> fmt::Result {
        self.histograms(
            "ockam_handshake",
            "How long handshakes of secure channels took",
            [([], |metrics| &metrics.handshakes)],
        )?;
        self.histograms(
            "ockam_connect",
            "How long it took to connect to other nodes and to targets of outlets",
            [
                ([("to", "node")], |metrics| &metrics.node_connects),
                ([("to", "target")], |metrics| &metrics.target_connects),
            ],
        )?;
        self.histograms(
            "ockam_stall",
            "How long streams that went on had no path",
            [([], |metrics| &metrics.stalls)],
        )
    }

    /// Under the names that Prometheus' own libraries use.
    fn process(&mut self, process: &Process) -> fmt::Result {
        let gauges = [
            ("process_resident_memory_bytes", "Memory of the process", process.resident_bytes),
            ("process_open_fds", "Descriptors that are open", process.open_descriptors),
            ("process_max_fds", "Descriptors that may be open", process.most_descriptors),
            ("process_threads", "Threads of the process", process.threads),
        ];
        for (name, help, value) in gauges {
            value.map_or(Ok(()), |value| self.gauges(name, help, [(Vec::new(), value)]))?;
        }
        if let Some(began) = process.began {
            let (name, help) = ("process_start_time_seconds", "When it began, since 1970");
            self.describe(name, help, None, MetricType::Gauge)?.encode_gauge(&began)?;
        }
        let Some(cpu) = process.cpu_seconds else { return Ok(()) };
        let (name, help) = ("process_cpu", "Time of processors that it has used");
        let mut encoder = self.describe(name, help, Some(&Unit::Seconds), MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&cpu, None)
    }
}
