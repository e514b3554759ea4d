//! What people write and what the contract takes: `acme/payments`, and a registration of it.

use std::{fmt, str::FromStr};

use domain::{Address, Bytes, InstanceId, Namespace, Record, ServiceKey, TextError, text};
use serde::{Deserialize, Serialize};

/// A service as people write it: `acme/payments`, or `0x…/payments` in the namespace of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Service {
    /// Who governs the name.
    pub namespace: Namespace,
    /// The name in the namespace.
    pub name: String,
}

/// Why a text names no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// No namespace in front.
    #[error("{0:?} names no namespace: write namespace/name, such as acme/{0} or 0x…/{0}")]
    NoNamespace(String),
    /// The namespace or the name is not valid.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Service {
    /// Reads `namespace/name`, or a bare `name` in the personal namespace of `account`.
    ///
    /// # Errors
    /// [`ServiceError::Text`].
    pub fn parse_for(service: &str, account: Address) -> Result<Self, ServiceError> {
        if service.contains('/') {
            return service.parse();
        }
        text::check_name("service", service)?;
        Ok(Self { namespace: Namespace::Account(account), name: service.to_owned() })
    }

    /// The key under which the contract knows this service.
    pub fn key(&self) -> ServiceKey {
        ServiceKey::new(self.namespace.id(), &self.name)
    }

    /// The id of the instance that `registrant` registers under `label`.
    pub fn instance(&self, registrant: Address, label: &str) -> InstanceId {
        InstanceId::new(self.key(), registrant, label)
    }
}

impl FromStr for Service {
    type Err = ServiceError;

    fn from_str(s: &str) -> Result<Self, ServiceError> {
        let (namespace, name) = s.split_once('/').ok_or_else(|| ServiceError::NoNamespace(text::clip(s)))?;
        let namespace = namespace.parse()?;
        text::check_name("service", name)?;
        Ok(Self { namespace, name: name.to_owned() })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<Service> for String {
    fn from(service: Service) -> Self {
        service.to_string()
    }
}

impl TryFrom<String> for Service {
    type Error = ServiceError;

    fn try_from(text: String) -> Result<Self, ServiceError> {
        text.parse()
    }
}

/// An instance by all that its id is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstanceName {
    /// The service.
    pub service: Service,
    /// Who registered it: not its owner, if it was transferred.
    pub registrant: Address,
    /// Its name among the registrant's of this service.
    pub label: String,
}

impl InstanceName {
    /// Its id.
    pub fn id(&self) -> InstanceId {
        self.service.instance(self.registrant, &self.label)
    }

    /// Checks the texts as the contract does.
    ///
    /// # Errors
    /// [`InputError::Text`].
    pub fn check(&self) -> Result<(), InputError> {
        text::check_name("service", &self.service.name)?;
        Ok(text::check_name("label", &self.label)?)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.label)
    }
}

/// What an owner says about one of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The service.
    pub service: Service,
    /// The instance's name among the owner's of this service.
    pub label: String,
    /// What can change later.
    pub body: Body,
}

/// The part of a registration that an update replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// What the instance runs.
    pub version: String,
    /// Where it serves: 1 to 16 of 1 to 256 bytes.
    pub endpoints: Vec<Bytes>,
    /// At most 4,096 bytes; by convention a JSON object.
    pub metadata: Bytes,
    /// Length of the lease in seconds: 5 seconds to 30 days.
    #[serde(rename = "ttl_s")]
    pub ttl: u32,
}

/// Why the contract would refuse an input: found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A name, label or version.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A namespace label that looks like an address.
    #[error("the namespace {0:?} starts with 0x, which is kept for accounts' own namespaces: choose another label")]
    ReservedLabel(String),
    /// None, or too many.
    #[error("{0} endpoints; an instance has 1 to {MAX_ENDPOINTS}")]
    EndpointCount(usize),
    /// Empty, or too long.
    #[error("endpoint {index} has {len} bytes; it must have 1 to {MAX_ENDPOINT}")]
    EndpointLength {
        /// Which one, from 1.
        index: usize,
        /// Its length.
        len: usize,
    },
    /// Too long.
    #[error("the metadata has {0} bytes; it may have {MAX_METADATA}")]
    MetadataLength(usize),
    /// Too short or too long.
    #[error("a ttl of {0} s; it must be 5 s to 30 days")]
    Ttl(u32),
    /// No instances to renew.
    #[error("no instances were given")]
    NoInstances,
    /// More than a call takes.
    #[error("{len} in one call; it takes {max}")]
    BatchSize {
        /// How many were given.
        len: usize,
        /// How many it takes.
        max: usize,
    },
    /// Too long.
    #[error("the reason has {0} bytes; it may have {MAX_REASON}")]
    ReasonLength(usize),
    /// Of nothing, one endorses the hash of nothing.
    #[error("the digest is zero: of nothing, endorse {}", alloy::primitives::KECCAK256_EMPTY)]
    EmptyDigest,
    /// More than the contract has bits for.
    #[error("{0} is too large: times have 40 bits")]
    Time(u64),
    /// More than the contract has bits for.
    #[error("{0} is too large: epochs have 24 bits")]
    Epoch(u32),
    /// The contract renews a lease only forward.
    #[error("a heartbeat of {time} is not after the last one, of {last}: wait for the next block")]
    NotAfter {
        /// When it was to be, in seconds.
        time: u64,
        /// When the last one was.
        last: u64,
    },
    /// A status that no authority gives.
    #[error("an authority suspends, reinstates or revokes; it cannot make an instance {0}")]
    Status(&'static str),
}

/// The most endpoints of an instance.
pub const MAX_ENDPOINTS: usize = 16;
/// The longest endpoint in bytes.
pub const MAX_ENDPOINT: usize = 256;
/// The longest metadata in bytes.
pub const MAX_METADATA: usize = 4096;
/// The longest reason of an authority in bytes.
pub const MAX_REASON: usize = 256;
/// The latest time that the contract can hold, in seconds.
pub const MAX_TIME: u64 = (1 << 40) - 1;
/// The shortest and the longest lease in seconds.
pub const TTL: std::ops::RangeInclusive<u32> = 5..=30 * 24 * 3600;

impl Registration {
    /// Checks all that the contract checks.
    ///
    /// # Errors
    /// The first [`InputError`].
    pub fn check(&self) -> Result<(), InputError> {
        text::check_name("service", &self.service.name)?;
        text::check_name("label", &self.label)?;
        self.body.check()
    }

    /// What it is called if `registrant` registers it.
    pub fn name(&self, registrant: Address) -> InstanceName {
        InstanceName { service: self.service.clone(), registrant, label: self.label.clone() }
    }

    /// The record that `registrant` publishes by this registration.
    pub fn record(&self, registrant: Address) -> Record {
        Record {
            namespace: self.service.namespace.id(),
            name: self.service.name.clone(),
            label: self.label.clone(),
            registrant,
            version: self.body.version.clone(),
            endpoints: self.body.endpoints.clone(),
            metadata: self.body.metadata.clone(),
        }
    }
}

impl Body {
    /// Checks all that the contract checks.
    ///
    /// # Errors
    /// The first [`InputError`].
    pub fn check(&self) -> Result<(), InputError> {
        text::check_version(&self.version)?;
        if self.endpoints.is_empty() || self.endpoints.len() > MAX_ENDPOINTS {
            return Err(InputError::EndpointCount(self.endpoints.len()));
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if endpoint.is_empty() || endpoint.len() > MAX_ENDPOINT {
                return Err(InputError::EndpointLength { index: index + 1, len: endpoint.len() });
            }
        }
        if self.metadata.len() > MAX_METADATA {
            return Err(InputError::MetadataLength(self.metadata.len()));
        }
        if !TTL.contains(&self.ttl) {
            return Err(InputError::Ttl(self.ttl));
        }
        Ok(())
    }
}

/// Checks that the contract has bits enough for a time.
pub(crate) fn check_time(time: u64) -> Result<(), InputError> {
    if time > MAX_TIME { Err(InputError::Time(time)) } else { Ok(()) }
}

/// Checks a label to claim.
pub(crate) fn check_label(label: &str) -> Result<(), InputError> {
    text::check_name("namespace", label)?;
    if label.starts_with("0x") {
        return Err(InputError::ReservedLabel(text::clip(label)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_as_it_is_written() {
        let account = Address::repeat_byte(7);
        let service: Service = "acme/payments".parse().expect("a service");
        assert_eq!(service.to_string(), "acme/payments");
        let own = Service::parse_for("payments", account).expect("a bare name");
        assert_eq!(own, format!("{account}/payments").parse().expect("an account's service"));
        assert_eq!(Service::parse_for("acme/payments", account), Ok(service));
        assert!(matches!("payments".parse::<Service>(), Err(ServiceError::NoNamespace(_))));
        for bad in ["", "/", "acme/", "/payments", "acme/pay/ments", "Acme/payments", "0x12/payments"] {
            assert!(bad.parse::<Service>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_the_contract_refuses_is_refused_before() {
        let good = Body {
            version: "1.2.0".into(),
            endpoints: vec![Bytes::from_static(b"https://a.example")],
            metadata: Bytes::new(),
            ttl: 30,
        };
        assert_eq!(good.check(), Ok(()));
        let many = vec![Bytes::from_static(b"x"); 17];
        let long = vec![Bytes::from(vec![0; 257])];
        for (bad, error) in [
            (Body { endpoints: vec![], ..good.clone() }, InputError::EndpointCount(0)),
            (Body { endpoints: many, ..good.clone() }, InputError::EndpointCount(17)),
            (Body { endpoints: long, ..good.clone() }, InputError::EndpointLength { index: 1, len: 257 }),
            (Body { metadata: vec![0; 4097].into(), ..good.clone() }, InputError::MetadataLength(4097)),
            (Body { ttl: 4, ..good.clone() }, InputError::Ttl(4)),
            (Body { ttl: 2_592_001, ..good.clone() }, InputError::Ttl(2_592_001)),
        ] {
            assert_eq!(bad.check(), Err(error));
        }
        assert!(Body { version: "1 2".into(), ..good }.check().is_err());
        assert_eq!(check_label("0xacme"), Err(InputError::ReservedLabel("0xacme".into())));
    }
}
