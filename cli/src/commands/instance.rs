//! Which instance: the flags, and what they lead to.

use anyhow::{Context, Result};
use client::{Gateway, InstanceName, Service, Wanted};
use domain::{Address, InstanceId};

use crate::{
    commands::{
        ask::{AskArgs, explain},
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
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
}

impl InstanceArgs {
    /// All that the id is made of.
    pub async fn name(&self, settings: &Settings, signer: Address) -> Result<InstanceName> {
        match self.id {
            Some(id) => lookup(&self.ask.gateway(settings)?, id).await,
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

/// Which instance, where nobody signs.
#[derive(Debug, Clone, clap::Args)]
pub struct AskedArgs {
    /// Its id; or namespace/name, with --label
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// Which instance of the service
    #[arg(long)]
    pub label: Option<String>,
    /// Who registered it: needed of one that is not listed any more, and where several have the label
    #[arg(long, value_name = "ACCOUNT", value_parser = account, requires = "label")]
    pub registrant: Option<Address>,
}

impl AskedArgs {
    /// Its id. The gateway is asked where it does not follow from what is given.
    pub async fn find(&self, gateway: &Gateway) -> Result<InstanceId> {
        let text = &self.instance;
        let Some(label) = &self.label else {
            return text.parse().map_err(|_| {
                usage(format!(
                    "{}: not an id, which is 0x and 64 hexadecimal digits; of a service, say which instance: --label LABEL",
                    domain::text::clip(text)
                ))
            });
        };
        let service: Service = text.parse().map_err(|error: client::service::ServiceError| usage(error.to_string()))?;
        domain::text::check_name("label", label).map_err(client::InputError::from)?;
        if let Some(registrant) = self.registrant {
            return Ok(service.instance(registrant, label));
        }
        let wanted = Wanted::default().health(api::Health::All).filter(format!("label == \"{label}\""));
        let found = gateway.instances(&service, &wanted).await.map_err(explain_instance)?;
        match &found.answer.instances[..] {
            [one] => Ok(one.id),
            [] => Err(UnknownError(format!(
                "no instance {label} of {service} is listed now; of one that was, --registrant ACCOUNT says which"
            ))
            .into()),
            several => {
                let registrants: Vec<String> = several.iter().map(|one| one.registrant.to_string()).collect();
                Err(usage(format!(
                    "several registered {label} of {service}: give --registrant, one of {}",
                    registrants.join(", ")
                )))
            }
        }
    }
}

/// As [`explain`], about an instance: there is none if the gateway does not know it.
pub fn explain_instance(error: client::DiscoverError) -> anyhow::Error {
    if error.is_unknown() { UnknownError(explain(error).to_string()).into() } else { explain(error) }
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
