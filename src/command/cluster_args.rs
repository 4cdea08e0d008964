//! The options of a hub that is one of several.

use std::path::PathBuf;

use clap::Args;
use ockam::{
    cluster::{Cluster, NatsBus, NatsOptions},
    ClientTls, Context, Entity, Result,
};

use crate::command::{doubts::Doubts, node_address::NodeAddress};

/// Where a NATS server listens whose URL has no port.
const NATS_PORT: u16 = 4222;

/// The options of a hub of a cluster.
#[derive(Args)]
#[command(next_help_heading = "Cluster of hubs")]
pub(crate) struct ClusterArguments {
    /// NATS servers, with commas between them, over which the hubs of a cluster find each other's
    /// forwarders. Whoever reaches one of the hubs then reaches what is registered at any of them.
    ///
    /// Messages go from hub to hub, not over NATS. Everybody who may use NATS there is a hub of the
    /// cluster.
    #[arg(long, value_name = "NATS", requires = "advertise", hide_env_values = true)]
    cluster: Option<String>,

    /// Address at which the other hubs of the cluster reach this one, as in `--listen`.
    #[arg(long, value_name = "ADDR", requires = "cluster")]
    advertise: Option<NodeAddress>,

    /// Name of the cluster, if several use the same NATS servers.
    #[arg(long, value_name = "NAME", requires = "cluster", default_value = "ockam")]
    cluster_name: String,

    /// File with certificates that the NATS servers are checked against, instead of the system's.
    #[arg(long, value_name = "FILE", requires = "cluster")]
    cluster_ca: Option<PathBuf>,
}

impl ClusterArguments {
    /// Checks the options; without them, there is no cluster.
    ///
    /// # Errors
    /// If a server has no address, or the cluster no name.
    pub(crate) fn check(self) -> Result<Option<HubOfCluster>> {
        let (Some(servers), Some(advertise)) = (self.cluster, self.advertise) else {
            return Ok(None);
        };
        let mut nats = NatsOptions::new(servers.as_str()).name(self.cluster_name);
        if let Some(file) = &self.cluster_ca {
            nats = nats.authority(file);
        }
        nats.check()?;
        Ok(Some(HubOfCluster { servers, nats, authority: self.cluster_ca, advertise }))
    }
}

/// How a hub is one of a cluster.
pub(crate) struct HubOfCluster {
    /// As they were given.
    servers: String,
    nats: NatsOptions,
    authority: Option<PathBuf>,
    advertise: NodeAddress,
}

impl HubOfCluster {
    /// Looks for the servers and the other hubs' address of this one, and reads the certificates.
    ///
    /// # Errors
    /// If the file has no certificates.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.nodes(std::slice::from_ref(&self.advertise));
        for server in self.servers.split(',') {
            let authority = server.trim().rsplit("://").next().unwrap_or_default();
            // What is before it may be a password.
            let host = authority.rsplit('@').next().unwrap_or_default().trim_end_matches('/');
            let has_port = !host.ends_with(']') && host.contains(':');
            let port = if has_port { String::new() } else { format!(":{NATS_PORT}") };
            doubts.host(&format!("{host}{port}"));
        }
        self.authority.as_ref().map_or(Ok(()), |file| ClientTls::with_ca_file(file).map(drop))
    }

    /// Joins the cluster, with the identity of the hub, if it has one.
    pub(crate) async fn join(&self, ctx: &Context, entity: Option<&Entity>) -> Result<Cluster> {
        let bus = NatsBus::connect(self.nats.clone()).await?;
        let own = NodeAddress::any_of(std::slice::from_ref(&self.advertise));
        match entity {
            Some(entity) => Cluster::join_as(entity, ctx, own, bus),
            None => Cluster::join(ctx, own, bus),
        }
    }
}
