//! Who is let in, who is not, and who is told of it.

mod certificates;
mod documented;
mod files;
mod keys;
mod lasting;
mod tokens;
mod told;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::{AccessRules, ApiKey, KeysFile, NewKey, access::Access, peer::Peer};

const PAYMENTS: &str = "/v1/namespaces/acme/services/payments/instances";

/// Everybody may ask.
pub(super) fn open(clock: Arc<ManualClock>) -> Access {
    access_of(&AccessRules::default(), clock)
}

fn access_of(rules: &AccessRules, clock: Arc<ManualClock>) -> Access {
    Access::new(rules, ([127, 0, 0, 1], 8080).into(), clock).expect("good rules")
}

/// A gateway with `acme/payments`, `beta/mail` and `0xcd…/jobs`, whose keys file is empty at first.
struct Guarded {
    world: World,
    folder: TempDir,
}

impl Guarded {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("keys.toml"), "").expect("written");
        let mut world = World::with([("payments", "a1", |_| {})]);
        let beta = Namespace::Label("beta".into());
        world.rows.namespaces.push(NamespaceRow { id: beta.id(), label: Some("beta".into()), ..namespace_row() });
        world.add(beta, "mail", "b1", |_| {});
        world.add(Namespace::Account(Address::repeat_byte(0xcd)), "jobs", "c1", |_| {});
        world.load();
        let keys = Some(folder.path().join("keys.toml"));
        world.access = access_of(&AccessRules { keys, ..AccessRules::default() }, world.clock.clone());
        Self { world, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys.toml")
    }

    fn file(&self) -> KeysFile {
        KeysFile::at(self.path())
    }

    /// Makes a key that the gateway knows.
    fn key(&self, new: NewKey) -> ApiKey {
        let new = NewKey { name: "test".into(), ..new };
        let key = self.file().create(&new, self.world.clock.monotonic()).expect("a key");
        self.world.access.refresh();
        key
    }

    async fn get_as(&self, key: &ApiKey, path: &str) -> Answer {
        self.get_with(&format!("Bearer {}", key.expose()), path).await
    }

    async fn get_with(&self, authorization: &str, path: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, authorization);
        self.world.send(request.body(Body::empty()).expect("a request")).await
    }

    /// How often something was refused for a reason.
    fn refused(&self, reason: &str) -> u64 {
        let text = self.world.state.telemetry().render(&self.world.state);
        let line = format!("rollcall_gateway_refused_total{{reason=\"{reason}\"}} ");
        text.lines().find_map(|text| text.strip_prefix(&line)).map_or(0, |count| count.parse().expect("a number"))
    }
}

impl Answer {
    /// Checks that nobody was let in, and returns the detail and the challenge.
    fn unauthorized(&self) -> (&str, &str) {
        (self.problem(401, "unauthorized"), self.header("www-authenticate"))
    }
}

fn labels(names: &[&str]) -> Vec<Namespace> {
    names.iter().map(|name| name.parse().expect("a namespace")).collect()
}

/// The domain's clock counts from 1970.
use domain::Clock as _;
