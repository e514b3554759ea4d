//! A service and its roster, as it is served.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use api::{Endpoint, Metadata, Observed, governance::plain_text, timestamp};
use domain::{Bytes, InstanceId, Lease, NamespaceId, ServiceKey, Status};
use semver::Version;
use store::rows::InstanceRow;

use crate::{
    board::Board,
    liveness::{self, Pulse, Rhythm, Standing},
    past::Past,
};

/// From this phi on, an instance comes after the others.
const DOUBTFUL: f64 = 3.0;

/// An instance, prepared for being served.
#[derive(Debug, PartialEq)]
pub(crate) struct Instance {
    pub(crate) lease: Lease,
    /// What a heartbeat does not change. Versions of an instance that differ in their lease alone have one in common.
    record: Arc<Record>,
}

/// What an instance publishes.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) service: ServiceKey,
    /// The version, if it is a semantic one.
    pub(crate) version: Option<Version>,
    /// All that is served but the lease and what follows from it.
    body: api::Instance,
    reason: Option<Bytes>,
}

impl Deref for Instance {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl Instance {
    fn new(row: InstanceRow, service: &Service, known: Option<&Self>) -> Self {
        let lease = row.lease;
        // The hash commits to all that the owner has ever said.
        let same = |known: &&Self| {
            let body = &known.body;
            (body.record_hash, body.registered_block, body.updated_block, &known.reason)
                == (row.record_hash, row.registered_block, row.updated_block, &row.reason)
        };
        let record = match known.filter(same) {
            Some(known) => Arc::clone(&known.record),
            None => Arc::new(Record::new(row, service)),
        };
        Self { lease, record }
    }

    /// The same with another lease.
    pub(crate) fn with(&self, lease: Lease) -> Self {
        Self { lease, record: Arc::clone(&self.record) }
    }

    /// The instance as it is served at a chain time, if all that counts is its lease.
    pub(crate) fn served(&self, live: bool, observed: Observed) -> api::Instance {
        let lease = &self.lease;
        api::Instance {
            owner: lease.owner,
            status: lease.status.into(),
            live,
            observed,
            ttl_s: lease.ttl,
            last_heartbeat: timestamp::from_seconds(lease.last_heartbeat),
            expires_at: timestamp::from_seconds(lease.expires_at()),
            epoch: lease.epoch,
            ..self.body.clone()
        }
    }
}

impl Record {
    fn new(row: InstanceRow, service: &Service) -> Self {
        let lease = row.lease;
        let (metadata, metadata_base64) = Metadata::from_bytes(&row.metadata).into_fields();
        let body = api::Instance {
            id: row.id,
            namespace: service.namespace.to_string(),
            service: service.name.to_string(),
            label: row.label,
            registrant: row.registrant,
            owner: lease.owner,
            version: row.version,
            status: lease.status.into(),
            reason: row.reason.as_ref().map(|reason| plain_text(reason)),
            live: false,
            observed: Observed::default(),
            ttl_s: lease.ttl,
            last_heartbeat: timestamp::from_seconds(lease.last_heartbeat),
            expires_at: timestamp::from_seconds(lease.expires_at()),
            epoch: lease.epoch,
            registered_block: row.registered_block,
            updated_block: row.updated_block,
            record_hash: row.record_hash,
            endpoints: row.endpoints.iter().map(|bytes| Endpoint::from_bytes(bytes)).collect(),
            metadata,
            metadata_base64,
        };
        Self { service: service.key, version: Version::parse(&body.version).ok(), body, reason: row.reason }
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.body.id
    }

    /// The namespace as people write it.
    pub(crate) fn namespace(&self) -> &str {
        &self.body.namespace
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.body.endpoints
    }

    /// What the owner has written, and where it stands; not the lease.
    pub(crate) fn body(&self) -> &api::Instance {
        &self.body
    }

    /// What the owner claims, if it is a JSON object.
    pub(crate) fn claims(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.body.metadata.as_ref()
    }
}

/// An instance on the roster of its service.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) instance: Arc<Instance>,
    standing: Standing,
    rhythm: Rhythm,
}

impl Member {
    /// Whether it is to be answered with where live ones are asked for.
    pub(crate) fn serves(&self) -> bool {
        self.instance.lease.status == Status::Active && self.standing != Standing::Expired
    }

    /// Whether it serves only because too many fell silent with it.
    pub(crate) fn is_suspect(&self) -> bool {
        self.instance.lease.status == Status::Active && self.standing == Standing::Suspect
    }

    /// The instance as it is served at a chain time.
    pub(crate) fn served(&self, now: u64) -> api::Instance {
        let active = self.instance.lease.status == Status::Active;
        let observed = Observed { suspect: self.is_suspect(), phi: self.phi(now) };
        self.instance.served(active && self.standing == Standing::Live, observed)
    }

    /// Whether it is served as another one is.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.instance == other.instance && self.standing == other.standing
    }

    /// Those that are doubtful come later.
    pub(crate) fn rank(&self, now: u64) -> (bool, bool) {
        (self.standing == Standing::Suspect, self.phi(now).is_some_and(|phi| phi >= DOUBTFUL))
    }

    fn phi(&self, now: u64) -> Option<f64> {
        self.rhythm.phi(now.saturating_sub(self.instance.lease.last_heartbeat))
    }

    fn pulse(&self) -> Pulse {
        let Lease { last_heartbeat, ttl, .. } = self.instance.lease;
        Pulse { last_heartbeat, ttl: ttl.into(), rhythm: self.rhythm, before: self.standing }
    }
}

/// A service and its roster.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    /// The namespace as people write it.
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) namespace_id: NamespaceId,
    /// How many instances are listed, by the contract's count.
    pub(crate) count: u64,
    /// The listed ones, ordered by id.
    members: BTreeMap<InstanceId, Member>,
    /// How many of them serve.
    live: u64,
    /// Whether some of them serve though their leases have run out.
    preserved: bool,
    /// When something may become of one of them: the next second of chain time to judge them at.
    due: Option<u64>,
    /// What its roster was before.
    pub(crate) past: Past,
    /// Where readers see it.
    pub(crate) board: Arc<Board>,
}

impl Service {
    pub(crate) fn new(
        key: ServiceKey,
        (namespace_id, namespace): (NamespaceId, Arc<str>),
        name: Arc<str>,
        count: u64,
        board: Arc<Board>,
    ) -> Self {
        let (members, past, live, preserved, due) = Default::default();
        Self { key, namespace, name, namespace_id, count, members, live, preserved, due, past, board }
    }

    /// Puts an instance on the roster, or takes it off. `before` is what was seen of it in an index that this one
    /// replaces.
    /// `became` is the block with which it became that, if that is known.
    pub(crate) fn put(&mut self, row: InstanceRow, became: Option<u64>, before: Option<&Member>) -> Arc<Instance> {
        // What is read as a whole may mend what was wrong.
        let known = self.members.get(&row.id).or(before).filter(|_| became.is_some());
        let instance = Instance::new(row, self, known.map(|known| &*known.instance));
        self.enlist(instance, became, before)
    }

    /// The same with what is prepared.
    pub(crate) fn enlist(&mut self, instance: Instance, became: Option<u64>, before: Option<&Member>) -> Arc<Instance> {
        let (id, instance) = (instance.id(), Arc::new(instance));
        let known = self.members.get(&id).or(before).cloned();
        if let Some(block) = became {
            self.past.note(block, id, known.as_ref().map(|known| Arc::clone(&known.instance)));
        }
        if !instance.lease.status.is_listed() {
            self.members.remove(&id);
            return instance;
        }
        let mut member =
            Member { instance: Arc::clone(&instance), standing: Standing::Live, rhythm: Rhythm::default() };
        if let Some(known) = known {
            member.rhythm = known.rhythm;
            member.standing = known.standing;
            let (last, heartbeat) = (known.instance.lease.last_heartbeat, instance.lease.last_heartbeat);
            if heartbeat > last {
                member.standing = Standing::Live;
                // A registration is no heartbeat that was due.
                if known.instance.lease.epoch == instance.lease.epoch {
                    member.rhythm.beat(heartbeat - last);
                }
            }
        }
        self.members.insert(id, member);
        instance
    }

    /// Judges its instances at a chain time. Whether something became of one of them, or of the mode.
    pub(crate) fn judge(&mut self, now: u64, resumed: u64) -> bool {
        let mut active: Vec<&mut Member> =
            self.members.values_mut().filter(|member| member.instance.lease.status == Status::Active).collect();
        let pulses: Vec<Pulse> = active.iter().map(|member| member.pulse()).collect();
        let standings = liveness::judge(&pulses, now, resumed);
        let (mut changed, preserved) = (false, self.preserved);
        (self.live, self.preserved, self.due) = (0, false, None);
        for ((member, pulse), standing) in active.iter_mut().zip(&pulses).zip(standings) {
            changed |= member.standing != standing;
            member.standing = standing;
            self.live += u64::from(standing != Standing::Expired);
            self.preserved |= standing != Standing::Expired && member.instance.lease.is_expired(now);
            let next = liveness::next(pulse, standing, now, resumed);
            self.due = self.due.into_iter().chain(next).min();
        }
        changed || self.preserved != preserved
    }

    /// Judges those that are new as they stand, without regard for the others: nothing was seen of any of them before.
    pub(crate) fn judge_first(&mut self, now: u64) {
        for member in self.members.values_mut() {
            if member.instance.lease.is_expired(now) {
                member.standing = Standing::Expired;
            }
        }
        self.judge(now, 0);
    }

    /// The listed instances, ordered by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn member(&self, id: InstanceId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// How many instances serve.
    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    /// Whether some instances serve though their leases have run out.
    pub(crate) fn is_preserved(&self) -> bool {
        self.preserved
    }

    /// When to judge its instances again.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due
    }

    /// Whether one of its instances has gone, or is a suspect, whose lease runs at the time of the head: it was judged at a
    /// chain time that no block has reached.
    pub(crate) fn is_ahead_of(&self, head_time: u64) -> bool {
        self.members
            .values()
            .any(|member| member.standing != Standing::Live && member.instance.lease.is_live(head_time))
    }

    /// Goes on with the past of the service in an index that this one replaces; what differs between them became what it
    /// is at `head`.
    pub(crate) fn go_on(&mut self, before: &mut Self, head: u64, now: u64) {
        self.past = std::mem::take(&mut before.past);
        for (id, member) in &mut self.members {
            // Nobody has seen it alive.
            if before.member(*id).is_none() && member.instance.lease.is_expired(now) {
                member.standing = Standing::Expired;
            }
        }
        for id in before.members.keys().chain(self.members.keys()) {
            let (was, is) = (before.member(*id), self.members.get(id));
            if was.map(|was| &was.instance) != is.map(|is| &is.instance) {
                self.past.note(head, *id, was.map(|was| Arc::clone(&was.instance)));
            }
        }
    }

    /// The listed instances as they were after a block, ordered by id.
    pub(crate) fn at(&self, block: u64) -> Vec<Arc<Instance>> {
        let now = self.members.iter().map(|(id, member)| (*id, Arc::clone(&member.instance))).collect();
        self.past.rewind(now, block)
    }

    /// Whether it is served as another one is.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.members.len(), self.preserved) == (other.members.len(), other.preserved)
            && self.members().zip(other.members()).all(|(a, b)| a.is_same(b))
    }
}
