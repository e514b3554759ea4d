//! Which instance: the flags, and what they lead to.

use anyhow::{Context, Result};
use client::{Gateway, InstanceName, Service};
use domain::{Address, InstanceId};

use crate::{
    commands::{
        ask::AskArgs,
        target::{account, service},
    },
    config::Settings,
    exit::{UnknownError, usage},
};

/// Which instance.
#[derive(Debug, Clone, clap::Args)]
pub struct InstanceArgs {
    /// namespace/name, or a bare name in the account's own namespace
    #[arg(value_name = "SERVICE", required_unless_present = "id", requires = "label")]
    pub service: Option<String>,
    /// Which instance of the service
    #[arg(long)]
    pub label: Option<String>,
    /// Who registered it [default: the account that signs]
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub registrant: Option<Address>,
    /// The instance by its id, instead of service and label: the gateway tells what the id is made of
    #[arg(long, value_name = "ID", conflicts_with_all = ["service", "label", "registrant"])]
    pub id: Option<InstanceId>,
    /// The gateway that is asked for --id [env: ROLLCALL_GATEWAY_URL; file: gateway_url]
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// As whom
    #[command(flatten)]
    pub ask: AskArgs,
}

impl InstanceArgs {
    /// All that the id is made of.
    pub async fn name(&self, settings: &Settings, signer: Address) -> Result<InstanceName> {
        match self.id {
            Some(id) => lookup(&self.ask.gateway(settings, self.gateway_url.as_deref())?, id).await,
            None => self.given(signer),
        }
    }

    /// The id, where nothing else is needed.
    pub fn find_id(&self, signer: Address) -> Result<InstanceId> {
        match self.id {
            Some(id) => Ok(id),
            None => Ok(self.given(signer)?.id()),
        }
    }

    fn given(&self, signer: Address) -> Result<InstanceName> {
        let (Some(name), Some(label)) = (&self.service, &self.label) else {
            return Err(usage("which instance? give SERVICE and --label LABEL, or --id ID"));
        };
        let name = InstanceName {
            service: service(name, signer)?,
            registrant: self.registrant.unwrap_or(signer),
            label: label.clone(),
        };
        name.check()?;
        Ok(name)
    }
}

/// Asks a gateway what an id is made of. A gateway may err: what it says must lead to the id.
pub async fn lookup(gateway: &Gateway, id: InstanceId) -> Result<InstanceName> {
    let answer = match gateway.instance(id).await {
        Ok(answer) => answer,
        Err(error) if error.is_unknown() => {
            return Err(UnknownError(format!("the gateway at {} knows no instance {id}", gateway.url())).into());
        }
        Err(error) => return Err(anyhow::Error::new(error).context(format!("looking for instance {id}"))),
    };
    let name = name_of(&answer.instance)?;
    if name.id() != id {
        return Err(anyhow::anyhow!("the gateway at {} answers with another instance than {id}", gateway.url()));
    }
    Ok(name)
}

/// What an instance that a gateway served is called.
pub fn name_of(instance: &api::Instance) -> Result<InstanceName> {
    let namespace = instance.namespace.parse().context("the namespace that the gateway serves")?;
    let service = Service { namespace, name: instance.service.clone() };
    Ok(InstanceName { service, registrant: instance.registrant, label: instance.label.clone() })
}
