//! Which fault needs what of the node behind, and what is counted.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use tokio::sync::watch;

use crate::{
    Fault,
    ahead::{self, Claim},
    behind::{self, Heads},
    blocks, logs,
    message::{Answer, Message, Request, number, quantity},
    refuse,
    replace::Replaced,
    upstream::Upstream,
    whole::{self, Instead},
};

/// What is set at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) fault: Fault,
    /// How often open connections had to be closed: whoever was open at another number is to close.
    cuts: u64,
    turns: Arc<AtomicUsize>,
}

impl Setting {
    /// The setting after this one.
    pub(crate) fn next(&self, fault: Fault) -> Self {
        Self { fault, cuts: self.cuts + u64::from(fault == Fault::Refuse), turns: Arc::default() }
    }

    fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }
}

/// How often each method was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashMap<String, u64>>);

impl Asked {
    pub(crate) fn of(&self, method: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(method).copied().unwrap_or_default()
    }

    pub(crate) fn in_all(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    fn count(&self, message: &Message) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for request in &message.requests {
            *asked.entry(request.method.clone()).or_default() += 1;
        }
    }
}

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) upstream: Upstream,
    setting: watch::Receiver<Setting>,
    asked: Arc<Asked>,
}

impl Proxy {
    pub(crate) fn new(upstream: Upstream, setting: watch::Receiver<Setting>, asked: Arc<Asked>) -> Self {
        Self { upstream, setting, asked }
    }

    /// What is set at the moment.
    pub(crate) fn setting(&self) -> Setting {
        self.setting.borrow().clone()
    }

    /// Ends when the connections that are open now are to be closed.
    pub(crate) fn cut(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut setting = self.setting.clone();
        let cuts = setting.borrow().cuts;
        // An error is the end of the whole proxy.
        async move { drop(setting.wait_for(|setting| setting.cuts != cuts).await) }
    }

    /// Ends when the proxy is to stop.
    pub(crate) async fn stopped(&self) {
        let mut setting = self.setting.clone();
        while setting.changed().await.is_ok() {}
    }

    /// Counts the requests that came and says what to do with them: answer each under the setting, or say something
    /// else instead.
    pub(crate) fn receive(&self, message: &Message) -> (Setting, Option<Instead>) {
        self.asked.count(message);
        let setting = self.setting();
        let instead = whole::instead(setting.fault, message, || setting.turn());
        (setting, instead)
    }

    /// The answer to a request.
    pub(crate) async fn answer(&self, setting: &Setting, request: &Request) -> Answer {
        let upstream = &self.upstream;
        let mut request = request.clone();
        match setting.fault {
            Fault::Without(method) if request.method == method => refuse::unknown(method),
            Fault::WrongChainId(id) => match refuse::chain(&request, id) {
                Some(answer) => answer,
                None => upstream.ask(&request).await,
            },
            Fault::RangeTooLarge(limit) if request.method == "eth_getLogs" => {
                let heads = upstream.heads().await?;
                blocks::pin(&mut request, |tag| heads.height(tag));
                match refuse::range(&mut request, limit, || setting.turn()) {
                    Some(answer) => answer,
                    None => upstream.ask(&request).await,
                }
            }
            Fault::Lag(blocks) => self.behind(request, |heads| heads.lagging(blocks)).await,
            Fault::HeadGoesBack(blocks) => self.behind(request, |heads| heads.gone_back(blocks)).await,
            Fault::HighHead(blocks) => self.ahead(request, blocks).await,
            Fault::Replace => self.replaced(request).await,
            Fault::OtherHeaders => {
                let mut result = upstream.ask(&request).await?;
                if matches!(request.method.as_str(), "eth_getBlockByNumber" | "eth_getBlockByHash") && !result.is_null()
                {
                    result["extraData"] = "0x726f6c6c63616c6c".into();
                }
                Ok(result)
            }
            fault if logs::concerns(fault) => self.tampered(fault, &request).await,
            _ => upstream.ask(&request).await,
        }
    }

    async fn behind(&self, mut request: Request, lower: impl Fn(Heads) -> Heads) -> Answer {
        let heads = lower(self.upstream.heads().await?);
        let named = match blocks::by_hash(&mut request) {
            Some(hash) => self.upstream.height_of(hash.clone()).await?,
            None => None,
        };
        match behind::question(&mut request, heads, named) {
            Some(answer) => answer,
            None => Ok(behind::result(&request.method, heads, self.upstream.ask(&request).await?)),
        }
    }

    async fn ahead(&self, mut request: Request, more: u64) -> Answer {
        if ahead::is_for_latest(&request) {
            let block = self.upstream.ask(&request).await?;
            return Ok(match number(&block["number"]) {
                Some(latest) => Claim::new(latest, more).told(block),
                None => block,
            });
        }
        let claim = Claim::new(self.upstream.heads().await?.latest, more);
        match claim.question(&mut request) {
            Some(answer) => answer,
            None => self.upstream.ask(&request).await,
        }
    }

    async fn replaced(&self, mut request: Request) -> Answer {
        let Some(replaced) = self.upstream.replaced().await? else {
            return self.upstream.ask(&request).await;
        };
        match replaced.question(&mut request) {
            Some(answer) => answer,
            None => Ok(replaced.result(self.upstream.ask(&request).await?)),
        }
    }

    async fn tampered(&self, fault: Fault, request: &Request) -> Answer {
        let result = self.upstream.ask(request).await?;
        match request.method.as_str() {
            "eth_getLogs" => Ok(logs::in_logs(fault, result)),
            "eth_getBlockReceipts" => Ok(logs::in_receipts(fault, result)),
            "eth_getTransactionReceipt" if !result.is_null() => {
                // Which log is the last of its block, only all its receipts tell.
                let all = self.upstream.receipts(result["blockHash"].clone()).await?;
                Ok(logs::receipt_of(&result["transactionHash"], logs::in_receipts(fault, all)))
            }
            _ => Ok(result),
        }
    }

    /// What is said of a new block in place of its header; none if nothing is.
    pub(crate) async fn notice(&self, fault: Fault, header: Value) -> Option<Value> {
        match fault {
            Fault::HeadGoesBack(_) => None,
            Fault::Lag(blocks) => {
                let height = number(&header["number"])?.checked_sub(blocks)?;
                let mut block = self.upstream.block_at(quantity(height)).await.ok()?;
                let fields = block.as_object_mut()?;
                for field in ["transactions", "uncles", "withdrawals"] {
                    fields.remove(field);
                }
                Some(block)
            }
            Fault::HighHead(blocks) => Some(Claim::new(number(&header["number"])?, blocks).told(header)),
            Fault::Replace => Some(Replaced::of(&header)?.result(header)),
            _ => Some(header),
        }
    }
}
