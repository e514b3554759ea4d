//! Which calls the contracts accept, and what follows from them.

use alloy::primitives::{Address, B256, Bytes};
use domain::Status;

use super::{Beat, Body, Call, Endorsement, Grant, Instance, Key, Model, Namespace, Said, Service};

const HEARTBEAT: u8 = 1;
const UPDATE: u8 = 2;
const DEREGISTER: u8 = 4;
const DAY: u64 = 86_400;

/// Why the contract refuses a call.
pub type Refusal = &'static str;

fn require(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

impl Model {
    /// What a call of `from` does. One that is refused does nothing.
    pub fn call(&mut self, from: Address, call: &Call) -> Result<(), Refusal> {
        match call.clone() {
            Call::Claim { label } => self.claim(from, label),
            Call::Open { namespace, open } => self.open(from, namespace, open),
            Call::ProposeNamespaceOwner { namespace, account } => {
                self.propose_namespace_owner(from, namespace, account)
            }
            Call::AcceptNamespaceOwner { namespace } => self.accept_namespace_owner(from, namespace),
            Call::SetRegistrar { namespace, registrar, expiry } => {
                self.set_registrar(from, namespace, registrar, expiry)
            }
            Call::Register { namespace, name, label, body, ttl } => {
                self.register(Key { namespace, name, registrant: from, label }, body, ttl)
            }
            Call::Update { key, previous, body, ttl } => self.update(from, &key, previous, body, ttl),
            Call::Deregister { key } => self.deregister(from, &key),
            Call::Heartbeat { id } => self.heartbeat(from, id),
            Call::HeartbeatBatch { ids } => self.heartbeat_batch(from, ids),
            Call::HeartbeatSigned { beats } => self.heartbeat_signed(beats),
            Call::ProposeOwner { id, account } => self.propose_owner(from, id, account),
            Call::AcceptOwner { key } => self.accept_owner(from, &key),
            Call::SetOperator { operator, grant } => self.set_operator(from, operator, grant),
            Call::SetInstanceOperator { id, operator, grant } => self.set_instance_operator(from, id, operator, grant),
            Call::SetStatus { key, status, reason } => self.set_status(from, &key, status, reason),
            Call::Reap { keys } => self.reap(keys),
            Call::Endorse { id, epoch, topic, expiry, digest } => self.endorse(from, id, epoch, topic, expiry, digest),
            Call::Withdraw { id, topic } => self.withdraw(from, id, topic),
        }
    }

    // ------------------------------------------------------- namespaces

    fn claim(&mut self, from: Address, label: String) -> Result<(), Refusal> {
        require(is_text(&label, "abcdefghijklmnopqrstuvwxyz0123456789._-"), "InvalidText")?;
        require(!label.starts_with("0x"), "ReservedLabel")?;
        let id = alloy::primitives::keccak256(&label);
        require(!self.namespaces.contains_key(&id), "NamespaceTaken")?;
        self.namespaces.insert(id, Namespace { label: Some(label), owner: from, open: false, epoch: 0 });
        self.logs += 1;
        Ok(())
    }

    fn open(&mut self, from: Address, id: B256, open: bool) -> Result<(), Refusal> {
        require(self.authority(id) == from, "NotNamespaceOwner")?;
        let personal = Namespace { label: None, owner: from, open, epoch: 0 };
        self.namespaces.entry(id).or_insert(personal).open = open;
        self.logs += 1;
        Ok(())
    }

    fn propose_namespace_owner(&mut self, from: Address, id: B256, account: Address) -> Result<(), Refusal> {
        let namespace = self.namespaces.get(&id).filter(|namespace| namespace.label.is_some());
        let namespace = namespace.ok_or("PersonalNamespace or NotNamespaceOwner")?;
        require(namespace.owner == from, "NotNamespaceOwner")?;
        let key = (id, namespace.epoch);
        let said = self.say(account);
        self.namespace_proposals.insert(key, said);
        Ok(())
    }

    fn accept_namespace_owner(&mut self, from: Address, id: B256) -> Result<(), Refusal> {
        let proposed = self.namespace_proposals.get(&(id, self.namespace_epoch(id)));
        require(proposed.is_some_and(|proposed| proposed.what == from), "NotProposed")?;
        let namespace = self.namespaces.get_mut(&id).ok_or("NotProposed")?;
        (namespace.owner, namespace.open, namespace.epoch) = (from, false, namespace.epoch + 1);
        self.logs += 1;
        Ok(())
    }

    fn set_registrar(&mut self, from: Address, id: B256, registrar: Address, expiry: u64) -> Result<(), Refusal> {
        require(expiry == 0 || expiry >= self.time, "ExpiryPassed")?;
        require(self.authority(id) == from, "NotNamespaceOwner")?;
        let key = (id, self.namespace_epoch(id), registrar);
        let said = self.say(expiry);
        self.registrars.insert(key, said);
        Ok(())
    }

    // -------------------------------------------------------- instances

    fn register(&mut self, key: Key, body: Body, ttl: u32) -> Result<(), Refusal> {
        require(self.may_register(key.namespace, key.registrant), "NamespaceClosed")?;
        for text in [&key.name, &key.label] {
            require(is_text(text, "abcdefghijklmnopqrstuvwxyz0123456789._-"), "InvalidText")?;
        }
        check_body(&body, ttl)?;
        let id = key.id();
        let before = self.instances.get(&id);
        if let Some(before) = before {
            require(matches!(before.status, Status::Deregistered | Status::Reaped), "AlreadyRegistered")?;
            require(before.owner == key.registrant, "NotOwner")?;
        }
        let epoch = before.map_or(0, |before| before.epoch);
        let previous_hash = before.map_or(B256::ZERO, |before| before.record_hash);
        let empty = Service { namespace: key.namespace, name: key.name.clone(), count: 0, sequence: 0 };
        self.services.entry(key.service()).or_insert(empty).count += 1;
        self.change(&key);
        let instance = Instance {
            owner: key.registrant,
            last_heartbeat: self.time,
            ttl,
            status: Status::Active,
            epoch,
            record_hash: body.hash(previous_hash),
            previous_hash,
            body,
            registered_block: self.block,
            updated_block: self.block,
            reason: None,
            key,
        };
        self.instances.insert(id, instance);
        Ok(())
    }

    fn update(&mut self, from: Address, key: &Key, previous: B256, body: Body, ttl: u32) -> Result<(), Refusal> {
        let (id, block) = (key.id(), self.block);
        let instance = self.listed(id)?;
        let needed = if ttl == instance.ttl { UPDATE } else { UPDATE | HEARTBEAT };
        require(instance.record_hash == previous, "RecordChanged")?;
        require(self.is_permitted(id, from, needed), "NotPermitted")?;
        check_body(&body, ttl)?;
        let instance = self.listed(id)?;
        (instance.record_hash, instance.previous_hash) = (body.hash(previous), previous);
        (instance.body, instance.ttl, instance.updated_block) = (body, ttl, block);
        self.change(key);
        Ok(())
    }

    fn deregister(&mut self, from: Address, key: &Key) -> Result<(), Refusal> {
        let id = key.id();
        require(self.listed(id)?.status != Status::Suspended, "InstanceSuspended")?;
        require(self.is_permitted(id, from, DEREGISTER), "NotPermitted")?;
        self.leave(key, Status::Deregistered)
    }

    fn set_status(&mut self, from: Address, key: &Key, to: u8, reason: Bytes) -> Result<(), Refusal> {
        require(reason.len() <= 256, "ReasonTooLong")?;
        require(self.authority(key.namespace) == from, "NotNamespaceOwner")?;
        let id = key.id();
        let instance = self.instances.get_mut(&id).ok_or("InvalidTransition")?;
        match (instance.status, Status::from_u8(to).ok_or("InvalidTransition")?) {
            (Status::Revoked, _) => return Err("InvalidTransition"),
            (Status::Active | Status::Suspended, Status::Revoked) => self.leave(key, Status::Revoked)?,
            (Status::Deregistered | Status::Reaped, Status::Revoked) => {
                (instance.status, instance.epoch) = (Status::Revoked, instance.epoch + 1);
                self.change(key);
            }
            (Status::Active, Status::Suspended) | (Status::Suspended, Status::Active) => {
                instance.status = if to == 1 { Status::Active } else { Status::Suspended };
                self.change(key);
            }
            _ => return Err("InvalidTransition"),
        }
        self.instances.get_mut(&id).ok_or("InvalidTransition")?.reason = Some(reason);
        Ok(())
    }

    fn reap(&mut self, keys: Vec<Key>) -> Result<(), Refusal> {
        require((1..=200).contains(&keys.len()), "BatchSizeOutOfRange")?;
        let mut reaped = 0;
        for key in keys {
            let Some(instance) = self.instances.get(&key.id()) else { continue };
            let due = instance.last_heartbeat + u64::from(instance.ttl) + 7 * DAY;
            if instance.status == Status::Active && self.time > due {
                self.leave(&key, Status::Reaped)?;
                reaped += 1;
            }
        }
        require(reaped > 0, "NothingReaped")
    }

    fn heartbeat(&mut self, from: Address, id: B256) -> Result<(), Refusal> {
        self.listed(id)?;
        require(self.is_permitted(id, from, HEARTBEAT), "NotPermitted")?;
        self.renew(id, self.time);
        self.logs += 1;
        Ok(())
    }

    fn heartbeat_batch(&mut self, from: Address, ids: Vec<B256>) -> Result<(), Refusal> {
        require((1..=500).contains(&ids.len()), "BatchSizeOutOfRange")?;
        let mut renewed = 0;
        for id in ids {
            if self.listed(id).is_ok() && self.is_permitted(id, from, HEARTBEAT) {
                self.renew(id, self.time);
                renewed += 1;
            }
        }
        require(renewed > 0, "NothingRenewed")?;
        self.logs += 1;
        Ok(())
    }

    fn heartbeat_signed(&mut self, beats: Vec<Beat>) -> Result<(), Refusal> {
        require((1..=500).contains(&beats.len()), "BatchSizeOutOfRange")?;
        let mut renewed = 0;
        for beat in beats {
            let (now, Ok(instance)) = (self.time, self.listed(beat.id)) else { continue };
            let timely = beat.time > instance.last_heartbeat && beat.time <= now && now <= beat.deadline;
            if timely && beat.epoch == instance.epoch && self.is_permitted(beat.id, beat.signer, HEARTBEAT) {
                self.renew(beat.id, beat.time);
                renewed += 1;
            }
        }
        // Nothing is said of nothing.
        self.logs += u64::from(renewed > 0);
        Ok(())
    }

    // ----------------------------------------------------------- grants

    fn propose_owner(&mut self, from: Address, id: B256, account: Address) -> Result<(), Refusal> {
        let instance = self.listed(id)?;
        require(instance.owner == from, "NotOwner")?;
        let key = (id, instance.epoch);
        let said = self.say(account);
        self.proposals.insert(key, said);
        Ok(())
    }

    fn accept_owner(&mut self, from: Address, key: &Key) -> Result<(), Refusal> {
        let id = key.id();
        let epoch = self.listed(id)?.epoch;
        require(self.proposals.get(&(id, epoch)).is_some_and(|proposed| proposed.what == from), "NotProposed")?;
        let instance = self.listed(id)?;
        (instance.owner, instance.epoch) = (from, epoch + 1);
        self.change(key);
        Ok(())
    }

    fn set_operator(&mut self, from: Address, operator: Address, grant: Grant) -> Result<(), Refusal> {
        self.check_grant(grant)?;
        let said = self.say(grant);
        self.operators.insert((from, operator), said);
        Ok(())
    }

    fn set_instance_operator(
        &mut self,
        from: Address,
        id: B256,
        operator: Address,
        grant: Grant,
    ) -> Result<(), Refusal> {
        self.check_grant(grant)?;
        let instance = self.listed(id)?;
        require(instance.owner == from, "NotOwner")?;
        let key = (id, instance.epoch, operator);
        let said = self.say(grant);
        self.instance_operators.insert(key, said);
        Ok(())
    }

    fn check_grant(&self, grant: Grant) -> Result<(), Refusal> {
        require(grant.permissions <= 7, "InvalidPermissions")?;
        require(grant.permissions == 0 || grant.expiry >= self.time, "ExpiryPassed")
    }

    // ----------------------------------------------------- endorsements

    fn endorse(
        &mut self,
        from: Address,
        id: B256,
        epoch: u32,
        topic: B256,
        expiry: u64,
        digest: B256,
    ) -> Result<(), Refusal> {
        require(expiry >= self.time, "ExpiryPassed")?;
        require(digest != B256::ZERO, "EmptyDigest")?;
        let instance = self.listed(id)?;
        require(instance.epoch == epoch, "EpochChanged")?;
        require(instance.owner != from, "OwnEndorsement")?;
        let said = self.say(Endorsement { expiry, digest, withdrawn: false });
        self.endorsements.insert((id, epoch, from, topic), said);
        Ok(())
    }

    fn withdraw(&mut self, from: Address, id: B256, topic: B256) -> Result<(), Refusal> {
        let epoch = self.instances.get(&id).map_or(0, |instance| instance.epoch);
        let given = self.endorsements.get(&(id, epoch, from, topic)).map(|given| given.what);
        let given = given.filter(|given| !given.withdrawn).ok_or("NotEndorsed")?;
        let said = self.say(Endorsement { withdrawn: true, ..given });
        self.endorsements.insert((id, epoch, from, topic), said);
        Ok(())
    }

    // ------------------------------------------------------------ parts

    fn listed(&mut self, id: B256) -> Result<&mut Instance, Refusal> {
        self.instances.get_mut(&id).filter(|instance| instance.is_listed()).ok_or("NotListed")
    }

    /// One more change of a service, and the log that says so.
    fn change(&mut self, key: &Key) {
        if let Some(service) = self.services.get_mut(&key.service()) {
            service.sequence += 1;
        }
        self.logs += 1;
    }

    /// Takes a listed instance out of its service.
    fn leave(&mut self, key: &Key, status: Status) -> Result<(), Refusal> {
        let instance = self.listed(key.id())?;
        (instance.status, instance.epoch) = (status, instance.epoch + 1);
        if let Some(service) = self.services.get_mut(&key.service()) {
            service.count -= 1;
        }
        self.change(key);
        Ok(())
    }

    fn renew(&mut self, id: B256, time: u64) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.last_heartbeat = time;
        }
        self.heartbeats.insert((id, self.block, self.logs), time);
    }

    fn say<T>(&mut self, what: T) -> Said<T> {
        let said = Said { block: self.block, log: self.logs, what };
        self.logs += 1;
        said
    }
}

fn is_text(text: &str, alphabet: &str) -> bool {
    let first = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    first && text.len() <= 63 && text.chars().all(|c| alphabet.contains(c))
}

fn check_body(body: &Body, ttl: u32) -> Result<(), Refusal> {
    let versions = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    require(is_text(&body.version, versions), "InvalidText")?;
    require((1..=16).contains(&body.endpoints.len()), "EndpointCountOutOfRange")?;
    require(body.endpoints.iter().all(|one| (1..=256).contains(&one.len())), "EndpointLengthOutOfRange")?;
    require(body.metadata.len() <= 4_096, "MetadataTooLong")?;
    require((5..=30 * DAY).contains(&u64::from(ttl)), "TtlOutOfRange")
}
