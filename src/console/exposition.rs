//! The figures as OpenMetrics text, for Prometheus. `docs/console.md` lists them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use ockam_actix_runtime::{
    metrics::{
        histogram::{Histogram, BOUNDS},
        link::{Link, Opener},
        Metrics,
    },
    Node,
};
use prometheus_client::{
    collector::Collector,
    encoding::{text::encode, DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use crate::console::{process::Process, public_text::public, words::direction};

/// All figures of `node` now.
pub(super) fn text(node: &Node) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(node.clone())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Figures(Node);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (node, metrics) = (&self.0, Metrics::of(&self.0));
        let mut figures = Encoder(encoder);
        figures.info()?;
        figures.links(&metrics)?;
        figures.portals(&metrics)?;
        figures.counters(node, &metrics)?;
        figures.cluster(&metrics)?;
        figures.times(&metrics)?;
        figures.process(&Process::now())
    }
}

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

struct Encoder<'a>(DescriptorEncoder<'a>);

impl Encoder<'_> {
    fn describe<'s>(
        &'s mut self,
        name: &'s str,
        help: &'s str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.describe(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge with a value for each set of labels.
    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = ([Label<'l>; N], u64)>,
    ) -> fmt::Result {
        let mut encoder = self.describe(name, help, None, MetricType::Gauge)?;
        all.into_iter()
            .try_for_each(|(labels, value)| encoder.encode_family(&labels)?.encode_gauge(&value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut encoder = self.describe(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter with a value for each set of labels.
    fn counters_of<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        all: impl IntoIterator<Item = ([Label<'l>; N], u64)>,
    ) -> fmt::Result {
        let mut encoder = self.describe(name, help, unit, MetricType::Counter)?;
        all.into_iter().try_for_each(|(labels, value)| {
            let mut family = encoder.encode_family(&labels)?;
            family.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: [([Label<'_>; N], &Histogram); 1],
    ) -> fmt::Result {
        self.histograms(name, help, all)
    }

    fn histograms<const N: usize, const M: usize>(
        &mut self,
        name: &str,
        help: &str,
        all: [([Label<'_>; N], &Histogram); M],
    ) -> fmt::Result {
        let mut encoder = self.describe(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        all.into_iter().try_for_each(|(labels, histogram)| {
            let counts = histogram.counts();
            let bounds = BOUNDS.iter().map(|bound| bound.as_secs_f64()).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(counts).collect();
            let (sum, count) = (histogram.sum().as_secs_f64(), counts.iter().sum());
            match N {
                0 => encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None),
                _ => encoder
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(sum, count, &buckets, None),
            }
        })
    }

    fn info(&mut self) -> fmt::Result {
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        self.describe("ockam", "The program", None, MetricType::Info)?.encode_info(&labels)
    }

    fn links(&mut self, metrics: &Metrics) -> fmt::Result {
        let connections = metrics.connections.all();
        let mut up = BTreeMap::new();
        let is_up = |link: &Arc<Link>| link.state().since.is_some();
        for (_, link) in connections.iter().filter(|(_, link)| is_up(link)) {
            let labels =
                [("transport", link.state().transport), ("direction", direction(link.opener))];
            *up.entry(labels).or_default() += 1;
        }
        self.gauges("ockam_connections", "Connections with other nodes", up)?;
        let dialled = connections.iter().filter(|(_, link)| link.opener == Opener::Here);
        let down = dialled.filter(|(_, link)| !is_up(link)).count() as u64;
        self.gauge("ockam_connections_down", "Connections that are being made again", down)?;
        let [sent, received] = metrics.connection_bytes();
        self.counters_of(
            "ockam_connection",
            "Bytes over connections with other nodes",
            Some(&Unit::Bytes),
            [([("direction", "sent")], sent), ([("direction", "received")], received)],
        )?;
        let channels = metrics.channels.while_locked(|all| all.filter(|(_, c)| is_up(c)).count());
        self.gauge("ockam_channels", "Secure channels that are established", channels as u64)?;
        let forwarders = metrics.forwarders.while_locked(|all| all.len());
        self.gauge("ockam_forwarders", "Forwarders for other nodes", forwarders as u64)?;
        let registrations: Vec<_> = metrics.registrations.all();
        let mut registered = BTreeMap::<_, u64>::new();
        for (_, link) in &registrations {
            let names = (public(&link.name), public(link.address.as_str()));
            *registered.entry(names).or_default() += u64::from(is_up(link));
        }
        let labels = |((hub, destination), up)| {
            ([("hub", hub), ("destination", destination)], u64::from(up > 0))
        };
        let registered: Vec<_> = registered
            .iter()
            .map(|((hub, at), up)| labels(((hub.as_str(), at.as_str()), *up)))
            .collect();
        self.gauges("ockam_registered", "Whether a hub forwards to this node", registered)
    }

    fn portals(&mut self, metrics: &Metrics) -> fmt::Result {
        // Of two portals with one name, the first has ended and still has streams.
        let mut sums = BTreeMap::<(&'static str, String), [u64; 5]>::new();
        for one in metrics.portal_figures() {
            let name = (one.portal.kind.name(), public(&one.portal.name));
            let more = [one.open, one.suspended, one.portal.begun.count(), one.sent, one.received];
            let sums = sums.entry(name).or_default();
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        let of = |figure: usize| {
            let labels = sums.iter().map(|((kind, name), all)| {
                ([("portal", *kind), ("name", name.as_str())], all[figure])
            });
            labels.collect::<Vec<_>>()
        };
        self.gauges("ockam_streams", "Streams, and flows of datagrams, that are open", of(0))?;
        self.gauges("ockam_streams_suspended", "Streams that wait for another path", of(1))?;
        self.counters_of("ockam_streams_begun", "Streams that have begun", None, of(2))?;
        let directed = |figure, direction| {
            of(figure).into_iter().map(move |([portal, name], bytes)| {
                ([portal, name, ("direction", direction)], bytes)
            })
        };
        self.counters_of(
            "ockam_stream",
            "Bytes of applications, sent into tunnels and received from them",
            Some(&Unit::Bytes),
            directed(3, "sent").chain(directed(4, "received")),
        )
    }

    fn counters(&mut self, node: &Node, metrics: &Metrics) -> fmt::Result {
        let refusals = node.refusals().counts();
        self.counters_of(
            "ockam_refusals",
            "What was refused or went wrong, by the rule in the log",
            None,
            refusals.iter().map(|one| ([("rule", one.rule)], one.count)),
        )?;
        let reconnects = metrics.reconnects.count();
        self.counter("ockam_reconnects", "Connections that were made again", reconnects)?;
        let resumptions = metrics.resumptions.count();
        self.counter("ockam_resumptions", "Streams that went on along another path", resumptions)
    }

    fn cluster(&mut self, metrics: &Metrics) -> fmt::Result {
        let cluster = &metrics.cluster;
        let lookups = cluster.lookups.count();
        self.counter("ockam_cluster_lookups", "Forwarders that were looked for", lookups)?;
        let found = cluster.found.count();
        self.counter("ockam_cluster_found", "Forwarders that another hub has", found)?;
        let missed = cluster.not_found.count();
        self.counter("ockam_cluster_not_found", "Forwarders that no hub has", missed)?;
        let stand_ins = cluster.stand_ins.while_locked(|all| all.len()) as u64;
        self.gauge("ockam_cluster_stand_ins", "Forwarders of other hubs in use", stand_ins)?;
        let none: [Label<'_>; 0] = [];
        self.histogram(
            "ockam_cluster_find",
            "How long it took to find a forwarder of another hub",
            [(none, &cluster.times_to_find)],
        )
    }

    fn times(&mut self, metrics: &Metrics) -> fmt::Result {
        let none: [Label<'_>; 0] = [];
        self.histogram(
            "ockam_handshake",
            "How long handshakes of secure channels took",
            [(none, &metrics.handshakes)],
        )?;
        self.histograms(
            "ockam_connect",
            "How long it took to connect to other nodes and to targets of outlets",
            [
                ([("to", "node")], &metrics.node_connects),
                ([("to", "target")], &metrics.target_connects),
            ],
        )?;
        self.histogram(
            "ockam_stall",
            "How long streams that went on had no path",
            [(none, &metrics.stalls)],
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
            value.map_or(Ok(()), |value| self.gauge(name, help, value))?;
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
