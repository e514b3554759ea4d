//! `rollcall chain`

use std::time::Duration;

use anyhow::Result;
use client::{
    Chain, Publisher, SecretUrl,
    deploy::{self, Known},
};
use serde::Serialize;

use crate::{
    commands::target::Contract,
    config::{CONTRACT, ENDORSEMENTS, RPC_URL, Settings},
    exit::Exit,
    key::{self, SignerArgs},
    out,
};

/// Put the contracts on a chain
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Deploy the registry and its endorsements, unless they are there
    ///
    /// Where the chain has the canonical CREATE2 deployer, the addresses are the same on every chain and a second
    /// deployment finds the first. Elsewhere it finds them by the settings `contract` and `endorsements`. The code that
    /// the chain then has is compared with this program's.
    #[command(
        after_help = "--json: {contract, endorsements, chain_id, deploy_block | null, deployed, tx | null, endorsements_tx | null}"
    )]
    Deploy(Deploy),
}

/// Where to, and who pays.
#[derive(Debug, clap::Args)]
pub struct Deploy {
    /// Node of the chain, by HTTP [env: ROLLCALL_RPC_URL; file: rpc_url]
    #[arg(long, value_name = "URL", help_heading = "Chain")]
    pub rpc_url: Option<String>,
    /// Address of a registry that was deployed plainly [env: ROLLCALL_CONTRACT; file: contract]
    #[arg(long, value_name = "ADDRESS", help_heading = "Chain")]
    pub contract: Option<String>,
    /// Address of its endorsements [env: ROLLCALL_ENDORSEMENTS; file: endorsements]
    #[arg(long, value_name = "ADDRESS", help_heading = "Chain")]
    pub endorsements: Option<String>,
    /// Who signs
    #[command(flatten)]
    pub signer: SignerArgs,
    /// How many seconds to wait for the transaction to get into a block
    #[arg(long, value_name = "SECONDS", default_value_t = Publisher::PATIENCE.as_secs(), help_heading = "Chain")]
    pub wait: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    contract: String,
    endorsements: String,
    chain_id: u64,
    deploy_block: Option<u64>,
    /// False if it was there.
    deployed: bool,
    tx: Option<String>,
    endorsements_tx: Option<String>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    let Command::Deploy(args) = command;
    let rpc_url: SecretUrl = settings.need(&RPC_URL, args.rpc_url.as_deref())?;
    let key = key::signer(settings, &args.signer).await?;
    let address = |setting: Option<Contract>| setting.map(|Contract(address)| address);
    let known = Known {
        registry: address(settings.get(&CONTRACT, args.contract.as_deref())?),
        endorsements: address(settings.get(&ENDORSEMENTS, args.endorsements.as_deref())?),
    };
    let chain = Chain::connect(&rpc_url).await?;
    let deployment = deploy::deploy(&chain, &key, Duration::from_secs(args.wait), known).await?;
    let answer = Answer {
        contract: deployment.registry.address().to_string(),
        endorsements: deployment.endorsements.address().to_string(),
        chain_id: chain.chain_id(),
        deploy_block: deployment.deploy_block,
        deployed: deployment.tx.is_some(),
        tx: deployment.tx.map(|tx| tx.to_string()),
        endorsements_tx: deployment.endorsements_tx.map(|tx| tx.to_string()),
    };
    out::either(args.json, &answer, || {
        let Answer { contract, endorsements, chain_id, .. } = &answer;
        let block = answer.deploy_block.map_or("an unknown block".to_owned(), |block| format!("block {block}"));
        let how = if answer.deployed { "deployed" } else { "there already, deployed" };
        let theirs = if answer.endorsements_tx.is_some() { "deployed" } else { "there already" };
        format!(
            "the registry of chain {chain_id} is at {contract}: {how} in {block}\nits endorsements are at {endorsements}: \
             {theirs}\n"
        )
    })?;
    Ok(Exit::Ok)
}
