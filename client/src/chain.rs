//! A node, asked with a bound on the time.

use std::{sync::Arc, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, B256, Bytes},
    providers::{DynProvider, Provider, ProviderBuilder},
    transports::{RpcError, TransportErrorKind},
};
use domain::BlockRef;

use crate::{error::ChainError, redact::SecretUrl};

const REQUEST_LIMIT: Duration = Duration::from_secs(15);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A node of the chain.
#[derive(Debug, Clone)]
pub struct Chain {
    provider: DynProvider,
    url: Arc<SecretUrl>,
    chain_id: u64,
}

/// The newest block that a node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which block.
    pub block: BlockRef,
    /// Its timestamp in seconds.
    pub time: u64,
}

impl Chain {
    /// Connects by HTTP and asks for the chain's id.
    ///
    /// # Errors
    /// [`ChainError::BadUrl`], [`ChainError::Unreachable`], [`ChainError::Node`].
    pub async fn connect(url: &SecretUrl) -> Result<Self, ChainError> {
        let url = url.clone().with_scheme(&["http", "https"]).map_err(ChainError::BadUrl)?;
        let http = http(&url, REQUEST_LIMIT)
            .map_err(|error| ChainError::Unreachable { url: url.to_string(), reason: causes(&error) })?;
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(http, url.url().clone());
        let mut chain = Self { provider: provider.erased(), url: Arc::new(url), chain_id: 0 };
        chain.chain_id = chain.provider.get_chain_id().await.map_err(|e| chain.failure(e))?;
        Ok(chain)
    }

    /// The chain's id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Where the node is, without secrets.
    pub fn url(&self) -> &SecretUrl {
        &self.url
    }

    /// The provider, for what this type has no word for.
    pub fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// The newest block.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn head(&self) -> Result<Head, ChainError> {
        self.block(BlockNumberOrTag::Latest).await?.ok_or_else(|| self.node("it has no newest block"))
    }

    /// A block by its number, if there is one.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn block_at(&self, number: u64) -> Result<Option<Head>, ChainError> {
        self.block(BlockNumberOrTag::Number(number)).await
    }

    /// The code at an address, now; empty if there is none.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        let code = self.provider.get_code_at(address).block_id(BlockId::latest()).await;
        code.map_err(|e| self.failure(e))
    }

    async fn block(&self, tag: BlockNumberOrTag) -> Result<Option<Head>, ChainError> {
        let block = self.provider.get_block_by_number(tag).await.map_err(|e| self.failure(e))?;
        Ok(block.map(|block| Head {
            block: BlockRef { number: block.header.number, hash: block.header.hash },
            time: block.header.timestamp,
        }))
    }

    /// The hash of block 0: what tells one chain from another with the same id.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn genesis(&self) -> Result<B256, ChainError> {
        let genesis = self.block_at(0).await?.ok_or_else(|| self.node("it has no block 0"))?;
        Ok(genesis.block.hash)
    }

    /// An error of the transport or of the node, without what the URL hides.
    pub(crate) fn failure(&self, error: RpcError<TransportErrorKind>) -> ChainError {
        let url = self.url.to_string();
        match error {
            RpcError::ErrorResp(answer) => ChainError::Node { url, reason: self.url.scrub(&answer.message) },
            RpcError::Transport(TransportErrorKind::HttpError(http)) => {
                ChainError::Unreachable { url, reason: format!("HTTP status {}", http.status) }
            }
            RpcError::Transport(error) => ChainError::Unreachable { url, reason: self.reasons(&error) },
            error => ChainError::Node { url, reason: self.reasons(&error) },
        }
    }

    pub(crate) fn node(&self, reason: &str) -> ChainError {
        ChainError::Node { url: self.url.to_string(), reason: reason.to_owned() }
    }

    /// The whole chain of causes: reqwest says "error sending request" and hides the reason below.
    fn reasons(&self, error: &dyn std::error::Error) -> String {
        self.url.scrub(&causes(error))
    }
}

/// An HTTP client for this URL. A proxy of the environment is for the world, not for this machine.
pub(crate) fn http(url: &SecretUrl, limit: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_LIMIT.min(limit)).timeout(limit);
    let local = match url.url().host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if local { builder.no_proxy().build() } else { builder.build() }
}

/// An error and its causes in one line, none said twice.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
