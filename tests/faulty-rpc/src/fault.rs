/// What is wrong with the node.
///
/// The faults of logs ([`DropLog`](Fault::DropLog), [`ForgeLog`](Fault::ForgeLog), [`ReorderLogs`](Fault::ReorderLogs),
/// [`DuplicateLog`](Fault::DuplicateLog), [`OmitLogs`](Fault::OmitLogs)) strike the last log of each contract in each
/// block, so that there is one whenever there is a log at all. `eth_getLogs` by block hash and by range,
/// `eth_getBlockReceipts` and `eth_getTransactionReceipt` tell the same lie, as long as no filter by topics hides the
/// last log; block hashes, every `logsBloom` and the `receiptsRoot` stay true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the node as it is.
    #[default]
    None,
    /// New connections are reset, open ones closed.
    Refuse,
    /// Requests are read and never answered, not even after the fault is gone; no notification comes.
    Hang,
    /// Every request gets this HTTP status and a short text. Over WebSocket, a JSON-RPC error: -32005 for 429, -32603
    /// for every other; notifications come.
    Status(u16),
    /// `eth_getLogs` over more blocks than this gets an error, in the words of one real provider after the other. A
    /// limit or a range that such words name is the true one.
    RangeTooLarge(u64),
    /// The node is this many blocks behind: `latest`, `safe` and `finalized` are all that much lower, and it knows no
    /// block, transaction or log above. Each `newHeads` notification is that of the block so many heights lower.
    Lag(u64),
    /// The last log is not there.
    DropLog,
    /// The last log says something else.
    ForgeLog(Part),
    /// The last two logs have each other's index, hence each other's place. A log alone stays as it is.
    ReorderLogs,
    /// The last log comes again, with the next index.
    DuplicateLog,
    /// No answer has a log.
    OmitLogs,
    /// `eth_chainId` and `net_version` name this chain.
    WrongChainId(u64),
    /// It does not know this method.
    Without(&'static str),
    /// `latest` is this many blocks lower than it was and all above is unknown; `safe` and `finalized` are where they
    /// were, or at `latest` if that is lower now. From there it goes on with the chain, but no `newHeads` notification
    /// comes.
    HeadGoesBack(u64),
    /// `latest` is said to be this many blocks higher than it is, up to the largest number there is; each `newHeads`
    /// notification says the same. The block is else the chain's own, and there is none above it; state above is that of
    /// the chain's head.
    HighHead(u64),
    /// Whichever block is the latest, it has another hash and a timestamp one second later, by tag, by number, by that
    /// other hash, in its logs and receipts and in its notification; by its true hash it is unknown. All else in it stays.
    Replace,
    /// Another field in each block, as on chains whose headers hash in another way: no block hashes to its hash.
    OtherHeaders,
    /// In turn: a text that is no JSON; a JSON-RPC answer with an id that nobody asked with, and the result `"0x1"`.
    /// Over HTTP the status is 200. Notifications come.
    Garbage,
}

/// What of a log is forged. Its lowest bit is turned, so that another value of the same kind is likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The last byte of the first word of its data: no bloom filter tells. Its last topic if it has no data.
    Data,
    /// The last byte of its last topic. Its data if it has no topic.
    Topic,
}
