//! One transaction after the other, also when other tasks and other processes use the same key.
//!
//! A nonce is asked for and used under a lock that all tasks of this sender share. Against other processes there is no
//! lock: who meets a nonce that is taken asks again, after a moment that differs from theirs. Who is replaced by
//! another transaction with the same nonce notices it while it waits for its own, and sends again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use alloy::{
    consensus::TxEnvelope,
    eips::{BlockId, Encodable2718},
    network::{Ethereum, EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, TxKind},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    transports::{RpcError, TransportErrorKind},
};
use domain::Namespace;
use tokio::{sync::Mutex, time};

use crate::{chain::Chain, error::ChainError, keys::Key, refusal};

const ATTEMPTS: u32 = 20;
const POLL: Duration = Duration::from_millis(100);
/// Every so many polls it is checked whether another transaction took the nonce.
const POLLS_PER_NONCE_CHECK: u32 = 10;

type Failure = RpcError<TransportErrorKind>;

/// Sends the transactions of one account.
#[derive(Clone)]
pub(crate) struct Sender {
    chain: Chain,
    wallet: EthereumWallet,
    account: Address,
    turn: Arc<Mutex<()>>,
    patience: Duration,
}

/// How a transaction is sent.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The most gas that it may take, at the worst.
    pub(crate) max_gas: u64,
    /// Is told the hash of each transaction that some node has: of another one if the first was replaced.
    pub(crate) sent: &'a (dyn Fn(B256) + Send + Sync),
}

impl Default for Terms<'_> {
    fn default() -> Self {
        Self { max_gas: u64::MAX, sent: &|_| () }
    }
}

/// What became of an attempt to send.
enum Sent {
    /// Some node has it.
    Pending { hash: B256, nonce: u64 },
    /// Its nonce is taken.
    NonceTaken,
}

/// What became of a transaction that was sent.
enum Mined {
    Receipt(Box<TransactionReceipt>),
    /// Another transaction with its nonce is in a block.
    Replaced,
}

impl Sender {
    /// `patience`: how long to wait for a block.
    pub(crate) fn new(chain: Chain, key: &Key, patience: Duration) -> Self {
        let account = key.account();
        Self { chain, wallet: key.signer().into(), account, turn: Arc::default(), patience }
    }

    pub(crate) fn account(&self) -> Address {
        self.account
    }

    /// Sends and waits until it is in a block. `known` names the namespace in errors.
    pub(crate) async fn send(
        &self,
        to: TxKind,
        input: Bytes,
        known: Option<&Namespace>,
    ) -> Result<TransactionReceipt, ChainError> {
        self.send_on(Terms::default(), to, input, known).await
    }

    /// The same, on terms.
    pub(crate) async fn send_on(
        &self,
        terms: Terms<'_>,
        to: TxKind,
        input: Bytes,
        known: Option<&Namespace>,
    ) -> Result<TransactionReceipt, ChainError> {
        let request = self.request(to, input);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                time::sleep(jitter(attempt)).await;
            }
            match self.submit(request.clone(), known, terms.max_gas).await? {
                Sent::NonceTaken => {
                    tracing::debug!(account = %self.account, attempt, "the nonce is taken; trying again")
                }
                Sent::Pending { hash, nonce } => {
                    (terms.sent)(hash);
                    match self.mined(hash, nonce).await? {
                        Mined::Receipt(receipt) if receipt.status() => return Ok(*receipt),
                        Mined::Receipt(receipt) => return Err(self.why(request, &receipt, known).await),
                        Mined::Replaced => {
                            tracing::warn!(account = %self.account, %hash, "another transaction took the nonce; sending again");
                        }
                    }
                }
            }
        }
        Err(ChainError::Contended { account: self.account, attempts: ATTEMPTS })
    }

    /// The most gas that it would take if it were sent now. What the contract refuses shows here, before anything costs
    /// anything.
    pub(crate) async fn gas(&self, to: TxKind, input: Bytes, known: Option<&Namespace>) -> Result<u64, ChainError> {
        self.gas_of(self.request(to, input), known).await
    }

    fn request(&self, to: TxKind, input: Bytes) -> TransactionRequest {
        TransactionRequest { to: Some(to), ..Default::default() }.with_from(self.account).with_input(input)
    }

    async fn gas_of(&self, request: TransactionRequest, known: Option<&Namespace>) -> Result<u64, ChainError> {
        let gas = self.chain.provider().estimate_gas(request).await.map_err(|e| self.failed(e, known))?;
        Ok(gas.saturating_add(gas / 4))
    }

    /// Estimates, signs and hands it to the node.
    async fn submit(
        &self,
        request: TransactionRequest,
        known: Option<&Namespace>,
        max_gas: u64,
    ) -> Result<Sent, ChainError> {
        let provider = self.chain.provider();
        let gas = self.gas_of(request.clone(), known).await?;
        if gas > max_gas {
            return Err(ChainError::TooMuchGas { needed: gas, max: max_gas });
        }
        let request = self.with_fees(request).await?.with_gas_limit(gas).with_chain_id(self.chain.chain_id());

        let _turn = self.turn.lock().await;
        let nonce = provider.get_transaction_count(self.account).pending().await.map_err(|e| self.failed(e, known))?;
        let built = NetworkTransactionBuilder::<Ethereum>::build(request.with_nonce(nonce), &self.wallet).await;
        let envelope: TxEnvelope =
            built.map_err(|e| ChainError::Sign { account: self.account, reason: e.to_string() })?;
        let (hash, raw) = (*envelope.tx_hash(), envelope.encoded_2718());
        match provider.send_raw_transaction(&raw).await {
            Ok(_) => Ok(Sent::Pending { hash, nonce }),
            Err(error) => match trouble(&error) {
                Trouble::NonceTaken => Ok(Sent::NonceTaken),
                // Ours: signatures are deterministic, so another process has sent the very same one.
                Trouble::AlreadyKnown => Ok(Sent::Pending { hash, nonce }),
                // Nobody knows whether it arrived; waiting for it tells.
                Trouble::Transport => {
                    let error = self.failed(error, known);
                    tracing::warn!(%hash, %error, "no answer to a transaction; looking whether it arrived");
                    let known = provider.get_transaction_by_hash(hash).await.map_err(|e| self.chain.failure(e))?;
                    if known.is_some() { Ok(Sent::Pending { hash, nonce }) } else { Err(error) }
                }
                Trouble::Other => Err(self.failed(error, known)),
            },
        }
    }

    /// EIP-1559, or a gas price on chains that have no base fee.
    async fn with_fees(&self, request: TransactionRequest) -> Result<TransactionRequest, ChainError> {
        let provider = self.chain.provider();
        match provider.estimate_eip1559_fees().await {
            Ok(fees) => Ok(request
                .with_max_fee_per_gas(fees.max_fee_per_gas)
                .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas)),
            Err(RpcError::UnsupportedFeature(_)) => {
                let price = provider.get_gas_price().await.map_err(|e| self.chain.failure(e))?;
                Ok(request.with_gas_price(price))
            }
            Err(error) => Err(self.chain.failure(error)),
        }
    }

    /// Waits for the receipt. A node that does not answer is asked again until the patience ends.
    async fn mined(&self, hash: B256, nonce: u64) -> Result<Mined, ChainError> {
        let provider = self.chain.provider();
        let wait = async {
            let mut every = time::interval(POLL);
            every.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
            for poll in 1.. {
                every.tick().await;
                // Asked before the receipt: a nonce that is used up, and then no receipt, means replaced.
                let used = poll % POLLS_PER_NONCE_CHECK == 0
                    && provider.get_transaction_count(self.account).latest().await.is_ok_and(|next| next > nonce);
                match provider.get_transaction_receipt(hash).await {
                    Ok(Some(receipt)) => return Mined::Receipt(Box::new(receipt)),
                    Ok(None) if used => return Mined::Replaced,
                    Ok(None) => {}
                    Err(error) => tracing::debug!(%hash, error = %self.chain.failure(error), "no receipt"),
                }
            }
            Mined::Replaced
        };
        time::timeout(self.patience, wait).await.map_err(|_| ChainError::NotMined { hash, waited: self.patience })
    }

    /// Why a mined transaction failed although its estimate was good: the state changed in between.
    async fn why(
        &self,
        request: TransactionRequest,
        receipt: &TransactionReceipt,
        known: Option<&Namespace>,
    ) -> ChainError {
        let block = receipt.block_number.map_or(BlockId::latest(), BlockId::number);
        match self.chain.provider().call(request).block(block).await {
            Err(error) => self.failed(error, known),
            Ok(_) => refusal::decode(&[], known).into(),
        }
    }

    fn failed(&self, error: Failure, known: Option<&Namespace>) -> ChainError {
        if let RpcError::ErrorResp(answer) = &error {
            if let Some(data) = answer.as_revert_data() {
                return refusal::decode(&data, known).into();
            }
            let message = answer.message.to_lowercase();
            if message.contains("insufficient funds") {
                return ChainError::InsufficientFunds { account: self.account, reason: answer.message.to_string() };
            }
            if message.contains("revert") {
                return refusal::decode(&[], known).into();
            }
        }
        self.chain.failure(error)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    NonceTaken,
    AlreadyKnown,
    Transport,
    Other,
}

/// Nodes differ in codes and agree, more or less, in words.
fn trouble(error: &Failure) -> Trouble {
    match error {
        RpcError::ErrorResp(answer) => words(&answer.message),
        RpcError::Transport(_) => Trouble::Transport,
        _ => Trouble::Other,
    }
}

fn words(message: &str) -> Trouble {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| message.contains(w));
    if has(&["already known", "already imported", "known transaction", "alreadyknown"]) {
        Trouble::AlreadyKnown
    } else if has(&[
        "nonce too low",
        "nonce is too low",
        "underpriced",
        "invalid nonce",
        "oldnonce",
        "could not replace",
    ]) {
        Trouble::NonceTaken
    } else {
        Trouble::Other
    }
}

/// A moment that differs from that of other processes, and grows.
pub(crate) fn jitter(attempt: u32) -> Duration {
    let most = 50 * u64::from(attempt.min(10));
    Duration::from_millis(random() % most.max(1) + 5)
}

/// A number that differs from that of other processes.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_say_it_in_their_own_words() {
        for (message, trouble) in [
            ("nonce too low", Trouble::NonceTaken),
            ("nonce too low: next nonce 7, tx nonce 6", Trouble::NonceTaken),
            ("replacement transaction underpriced", Trouble::NonceTaken),
            ("already known", Trouble::AlreadyKnown),
            ("transaction already imported", Trouble::AlreadyKnown),
            ("exceeds block gas limit", Trouble::Other),
        ] {
            assert_eq!(words(message), trouble, "{message}");
        }
    }
}
