//! `rollcall status`

use anyhow::Result;
use api::{DiscoveryHealth, ServiceSummary};
use client::{Chain, Gateway, Registry, SecretUrl};
use serde::Serialize;

use crate::{
    commands::{
        ask::AskArgs,
        target::{Contract, RegistryArgs},
    },
    config::{CONTRACT, GATEWAY_URL, RPC_URL, Settings},
    exit::{Exit, usage},
    out,
};

/// How the chain, the index and the gateway are
///
/// Looks at what the settings name: the node, the registry on it, the gateway and its index. Ends with 4 if one of them
/// cannot be reached.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "--json: {chain: {url, chain_id, block, contract, problem} | null, gateway: {url, health, services, problem} | null}"
)]
pub struct Args {
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    chain: Option<ChainStatus>,
    gateway: Option<GatewayStatus>,
}

#[derive(Serialize)]
struct ChainStatus {
    url: String,
    chain_id: Option<u64>,
    block: Option<u64>,
    /// The registry's address, if it is there.
    contract: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct GatewayStatus {
    url: String,
    health: Option<DiscoveryHealth>,
    services: Vec<ServiceSummary>,
    problem: Option<String>,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let rpc_url: Option<SecretUrl> = settings.get(&RPC_URL, args.registry.rpc_url.as_deref())?;
    let contract: Option<Contract> = settings.get(&CONTRACT, args.registry.contract.as_deref())?;
    let gateway_url: Option<SecretUrl> = settings.get(&GATEWAY_URL, args.ask.gateway_url.as_deref())?;
    if rpc_url.is_none() && gateway_url.is_none() {
        return Err(usage(format!(
            "nothing to look at: give --rpc-url and --gateway-url, set ROLLCALL_RPC_URL and ROLLCALL_GATEWAY_URL, or \
             write rpc_url and gateway_url into {}",
            settings.file_name()
        )));
    }
    let answer = Answer {
        chain: match rpc_url {
            Some(url) => Some(chain(&url, contract).await),
            None => None,
        },
        gateway: match gateway_url {
            Some(url) => Some(gateway(&args.ask.gateway_at(settings, &url)?).await),
            None => None,
        },
    };
    out::either(args.json, &answer, || words(&answer))?;
    let reached = answer.chain.as_ref().is_none_or(|chain| chain.block.is_some())
        && answer.gateway.as_ref().is_none_or(|gateway| gateway.health.is_some());
    Ok(if reached { Exit::Ok } else { Exit::Unreachable })
}

async fn chain(url: &SecretUrl, contract: Option<Contract>) -> ChainStatus {
    let mut status = ChainStatus { url: url.to_string(), chain_id: None, block: None, contract: None, problem: None };
    let asked = async {
        let chain = Chain::connect(url).await?;
        status.chain_id = Some(chain.chain_id());
        status.block = Some(chain.head().await?.block.number);
        if let Some(Contract(address)) = contract {
            status.contract = Some(Registry::at(chain, address).await?.address().to_string());
        }
        Ok::<_, client::ChainError>(())
    };
    let failed = asked.await.err();
    status.problem = failed.map(|error| error.to_string());
    status
}

async fn gateway(gateway: &Gateway) -> GatewayStatus {
    let url = gateway.url().to_string();
    let mut status = GatewayStatus { url, health: None, services: Vec::new(), problem: None };
    let asked = async {
        status.health = Some(gateway.health().await?);
        status.services = gateway.services(None).await?.services;
        Ok::<_, client::DiscoverError>(())
    };
    let failed = asked.await.err();
    status.problem = failed.map(|error| error.to_string());
    status
}

fn words(answer: &Answer) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if let Some(chain) = &answer.chain {
        row("chain", chain.url.clone());
        if let (Some(id), Some(block)) = (chain.chain_id, chain.block) {
            row("", format!("chain id {id}, block {block}"));
        }
        if let Some(contract) = &chain.contract {
            row("", format!("registry {contract}"));
        }
        if let Some(problem) = &chain.problem {
            row("", format!("PROBLEM: {problem}"));
        }
    }
    if let Some(gateway) = &answer.gateway {
        row("gateway", gateway.url.clone());
        if let Some(health) = &gateway.health {
            let metrics = &health.metrics;
            let mode = metrics.mode.map_or(String::new(), |mode| format!(", mode {mode}"));
            row("", format!("{}{mode}", format!("{:?}", health.status).to_lowercase()));
            if let (Some(block), Some(lag)) = (metrics.indexed_block, metrics.lag_blocks) {
                row("index", format!("block {block}, {lag} behind the chain"));
            }
            row(
                "",
                format!(
                    "{} services, {} of {} instances live",
                    metrics.services, metrics.live_instances, metrics.instances
                ),
            );
            if let Some(problem) = &metrics.problem {
                row("", format!("PROBLEM: {problem}"));
            }
        }
        if let Some(problem) = &gateway.problem {
            row("", format!("PROBLEM: {problem}"));
        }
        for (n, service) in gateway.services.iter().enumerate() {
            let name = if n == 0 { "services" } else { "" };
            row(name, format!("{}/{}: {} live of {}", service.namespace, service.name, service.live, service.listed));
        }
    }
    out::table(&rows)
}
