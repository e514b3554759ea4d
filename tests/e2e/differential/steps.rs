//! What happens, before it is known what is there: small numbers, which `act` makes calls of. They shrink well.

use indexer::Verify;
use proptest::{
    bool::weighted,
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};

/// One case.
#[derive(Debug, Clone)]
pub struct Plan {
    pub settings: Settings,
    pub steps: Vec<Step>,
}

/// How the indexer is run.
#[derive(Debug, Clone)]
pub struct Settings {
    pub window: u64,
    pub max_range: u64,
    pub verify: Option<Verify>,
    pub websocket: bool,
    /// Nothing is taken back, and the indexer runs: what readers follow is changes alone.
    pub calm: bool,
}

/// One step of a case.
#[derive(Debug, Clone)]
pub enum Step {
    /// A transaction in the block that is being filled.
    Act(By, Act),
    /// Ends the block, and how many seconds later the next one comes.
    Mine { then: u64 },
    /// Empty blocks.
    Wait { blocks: u64 },
    /// The newest blocks are replaced by empty ones.
    Reorg { depth: u64 },
    /// The newest blocks are gone, and others come at their heights.
    Rollback { depth: u64 },
    /// The indexer ends, in the middle of whatever it does or as a signal makes it.
    Stop { crash: bool },
    /// The indexer runs again.
    Start,
    /// Everything is compared.
    Compare,
}

impl Step {
    fn is_trouble(&self) -> bool {
        matches!(self, Self::Reorg { .. } | Self::Rollback { .. } | Self::Stop { .. })
    }
}

/// Who sends a transaction.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// Who owns, or governs, or was proposed.
    Entitled,
    /// Somebody whom the owner lets do something, if there is one.
    Operator(usize),
    /// An actor, entitled or not.
    Actor(usize),
}

/// Until when something holds.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    Never,
    Before,
    Now,
    Soon,
    Later,
    Ever,
}

/// Which instance: one that it can be done with, one that is there or was, or one that may never have been.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    Fit(usize),
    Known(usize),
    Made(usize),
}

/// What a transaction is to do. Numbers are looked up in short lists, so that many mean the same.
#[derive(Debug, Clone)]
pub enum Act {
    Claim { label: usize },
    Open { namespace: usize, open: bool },
    ProposeNamespaceOwner { namespace: usize, to: usize },
    AcceptNamespaceOwner { namespace: usize },
    SetRegistrar { namespace: usize, registrar: usize, until: Until },
    Register { namespace: usize, name: usize, label: usize, body: u8, ttl: usize },
    Return { which: Which, body: u8, ttl: usize },
    Update { which: Which, stale: bool, body: u8, ttl: Option<usize> },
    Deregister { which: Which },
    Heartbeat { which: Which },
    HeartbeatBatch { which: Vec<Which> },
    HeartbeatSigned { which: Vec<(Which, By, u64)>, until: Until },
    ProposeOwner { which: Which, to: usize },
    AcceptOwner { which: Which },
    SetOperator { operator: usize, permissions: u8, until: Until },
    SetInstanceOperator { which: Which, operator: usize, permissions: u8, until: Until },
    SetStatus { which: Which, status: u8, reason: usize },
    Reap { which: Vec<Which> },
    Endorse { which: Which, stale: bool, topic: u8, until: Until, digest: u8 },
    Withdraw { which: Which, topic: u8 },
}

pub fn plan() -> impl Strategy<Value = Plan> {
    (settings(), vec(beginning(), 10..16), vec(step(), 80..150)).prop_map(|(settings, first, then)| {
        let mut steps: Vec<Step> = first.into_iter().chain(then).collect();
        steps.retain(|step| !settings.calm || !step.is_trouble());
        Plan { settings, steps }
    })
}

/// So that there is something to begin with.
fn beginning() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        1 => (0..3usize).prop_map(|label| Act::Claim { label }),
        2 => register(),
        1 => (0..5usize).prop_map(|namespace| Act::Open { namespace, open: true }),
        1 => (0..5usize, select(vec![1, 2, 3, 5, 6, 7]))
            .prop_map(|(operator, permissions)| Act::SetOperator { operator, permissions, until: Until::Ever }),
    ];
    act.prop_map(|act| Step::Act(By::Entitled, act))
}

fn register() -> impl Strategy<Value = Act> {
    let ttl = prop_oneof![12 => 0..4usize, 1 => 4..6usize];
    (0..5usize, 0..2usize, 0..30usize, body(), ttl).prop_map(|(namespace, name, label, body, ttl)| Act::Register {
        namespace,
        name,
        label,
        body,
        ttl,
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let verify = prop_oneof![3 => Just(None), 1 => select(vec![Some(Verify::Headers), Some(Verify::None)])];
    let ranges = select(vec![2_000, 2_000, 7]);
    (select(vec![256, 256, 12, 3]), ranges, verify, any::<bool>(), weighted(0.3)).prop_map(
        |(window, max_range, verify, websocket, calm)| Settings { window, max_range, verify, websocket, calm },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![6 => Just(By::Entitled), 3 => (0..5usize).prop_map(By::Operator), 1 => (0..5usize).prop_map(By::Actor)];
    let next = prop_oneof![
        10 => 1..30u64,
        2 => 3_000..5_000u64,
        3 => select(vec![8 * 86_400, 40 * 86_400]),
    ];
    let depth = || prop_oneof![16 => 1..4u64, 4 => 4..16u64, 1 => 16..45u64];
    prop_oneof![
        80 => (by, act()).prop_map(|(by, act)| Step::Act(by, act)),
        30 => next.prop_map(|then| Step::Mine { then }),
        1 => (1..20u64).prop_map(|blocks| Step::Wait { blocks }),
        3 => depth().prop_map(|depth| Step::Reorg { depth }),
        2 => depth().prop_map(|depth| Step::Rollback { depth }),
        3 => any::<bool>().prop_map(|crash| Step::Stop { crash }),
        3 => Just(Step::Start),
        4 => Just(Step::Compare),
    ]
}

fn until() -> impl Strategy<Value = Until> {
    prop_oneof![
        1 => Just(Until::Never),
        1 => Just(Until::Before),
        1 => Just(Until::Now),
        2 => Just(Until::Soon),
        4 => Just(Until::Later),
        3 => Just(Until::Ever),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        12 => (0..60usize).prop_map(Which::Fit),
        3 => (0..60usize).prop_map(Which::Known),
        1 => (0..200usize).prop_map(Which::Made),
    ]
}

/// Small bodies mostly; the highest numbers are the largest that are allowed, and such as are not.
fn body() -> impl Strategy<Value = u8> {
    prop_oneof![12 => 0..100u8, 1 => 100..=109u8]
}

fn act() -> impl Strategy<Value = Act> {
    let namespace = || 0..5usize;
    let actor = || 0..6usize;
    let ttl = || prop_oneof![12 => 0..4usize, 1 => 4..6usize];
    let permissions = || prop_oneof![12 => 0..8u8, 1 => Just(8)];
    let some = || vec(which(), 0..6);
    prop_oneof![
        3 => (0..6usize).prop_map(|label| Act::Claim { label }),
        2 => (namespace(), any::<bool>()).prop_map(|(namespace, open)| Act::Open { namespace, open }),
        4 => (namespace(), actor()).prop_map(|(namespace, to)| Act::ProposeNamespaceOwner { namespace, to }),
        4 => namespace().prop_map(|namespace| Act::AcceptNamespaceOwner { namespace }),
        3 => (namespace(), actor(), until())
            .prop_map(|(namespace, registrar, until)| Act::SetRegistrar { namespace, registrar, until }),
        12 => register(),
        6 => (which(), body(), ttl()).prop_map(|(which, body, ttl)| Act::Return { which, body, ttl }),
        9 => (which(), weighted(0.1), body(), proptest::option::of(ttl()))
            .prop_map(|(which, stale, body, ttl)| Act::Update { which, stale, body, ttl }),
        6 => which().prop_map(|which| Act::Deregister { which }),
        7 => which().prop_map(|which| Act::Heartbeat { which }),
        4 => some().prop_map(|which| Act::HeartbeatBatch { which }),
        4 => (vec((which(), signer(), 0..40u64), 0..4), until())
            .prop_map(|(which, until)| Act::HeartbeatSigned { which, until }),
        5 => (which(), actor()).prop_map(|(which, to)| Act::ProposeOwner { which, to }),
        5 => which().prop_map(|which| Act::AcceptOwner { which }),
        4 => (actor(), permissions(), until())
            .prop_map(|(operator, permissions, until)| Act::SetOperator { operator, permissions, until }),
        4 => (which(), actor(), permissions(), until()).prop_map(|(which, operator, permissions, until)| {
            Act::SetInstanceOperator { which, operator, permissions, until }
        }),
        9 => (which(), prop_oneof![10 => 1..3u8, 1 => 0..7u8, 1 => Just(4)], 0..5usize)
            .prop_map(|(which, status, reason)| Act::SetStatus { which, status, reason }),
        4 => some().prop_map(|which| Act::Reap { which }),
        7 => (which(), weighted(0.1), 0..2u8, until(), 0..9u8)
            .prop_map(|(which, stale, topic, until, digest)| Act::Endorse { which, stale, topic, until, digest }),
        3 => (which(), 0..2u8).prop_map(|(which, topic)| Act::Withdraw { which, topic }),
    ]
}

fn signer() -> impl Strategy<Value = By> {
    prop_oneof![4 => Just(By::Entitled), 2 => (0..5usize).prop_map(By::Operator), 1 => (0..5usize).prop_map(By::Actor)]
}
