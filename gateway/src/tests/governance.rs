//! Who governs, who may act for whom, who endorses: `GET /v1/namespaces/{ns}` and `GET /v1/instances/{id}`

use domain::{NamespaceId, Permissions, Topic};
use store::query::{Delta, Endorsement, InstanceGrants, LIST, List, NamespaceGrants, Operator, OwnerGrants, Registrar};

use super::*;

const OTHER: Address = Address::repeat_byte(0xcd);

fn one<T>(item: T) -> List<T> {
    List { items: vec![item], total: 1 }
}

fn operator(n: u8, permissions: Permissions) -> Operator {
    Operator { account: Address::repeat_byte(n), permissions, expires_at: NOW + 60 }
}

fn endorsement(topic: B256) -> Endorsement {
    Endorsement { endorser: OTHER, topic: Topic(topic), digest: B256::repeat_byte(7), expires_at: NOW }
}

fn grants(world: &World) -> InstanceGrants {
    InstanceGrants {
        id: world.rows.instances[0].id,
        epoch: 0,
        proposed_owner: Some(OTHER),
        operators: one(operator(1, Permissions::HEARTBEAT.with(Permissions::UPDATE))),
        endorsements: one(endorsement(B256::right_padding_from(b"audit"))),
    }
}

async fn show(world: &World) -> Value {
    let answer = world.get(&format!("/v1/instances/{}", world.rows.instances[0].id)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_value::<api::InstanceAnswer>(answer.body.clone()).expect("the client reads it");
    answer.body
}

#[tokio::test]
async fn an_instance_shows_who_may_act_for_it_and_who_endorses_it() {
    let mut world = World::with([("payments", "a1", |_| {})]);
    let nobody = show(&world).await;
    for (field, empty) in [("proposed_owner", Value::Null), ("operators", Value::Array(vec![]))] {
        assert_eq!(nobody[field], empty, "{nobody}");
    }
    assert_eq!((&nobody["operators_total"], &nobody["endorsements_total"]), (&0.into(), &0.into()));

    world.rows.grants.instances = vec![grants(&world)];
    world.rows.grants.owners = vec![OwnerGrants { owner: OWNER, operators: one(operator(2, Permissions::ALL)) }];
    world.load();
    let body = show(&world).await;
    assert_eq!(body["proposed_owner"], OTHER.to_string());
    let expected = serde_json::json!([
        {
            "account": Address::repeat_byte(1).to_string(),
            "permissions": ["heartbeat", "update"],
            "expires_at": "2023-11-14T22:14:20Z",
            "scope": "instance",
        },
        {
            "account": Address::repeat_byte(2).to_string(),
            "permissions": ["heartbeat", "update", "deregister"],
            "expires_at": "2023-11-14T22:14:20Z",
            "scope": "owner",
        },
    ]);
    assert_eq!((&body["operators"], &body["operators_total"]), (&expected, &2.into()));
    let expected = serde_json::json!([{
        "endorser": OTHER.to_string(),
        "topic": "audit",
        "digest": B256::repeat_byte(7).to_string(),
        "expires_at": "2023-11-14T22:13:20Z",
    }]);
    assert_eq!((&body["endorsements"], &body["endorsements_total"]), (&expected, &1.into()));
}

#[tokio::test]
async fn what_was_said_in_an_epoch_ends_with_it() {
    let mut world = World::with([("payments", "a1", |_| {})]);
    world.rows.grants.instances = vec![grants(&world)];
    world.load();
    assert_eq!(show(&world).await["endorsements_total"], 1);

    // Transferred: the instance alone changes.
    let mut row = world.rows.instances[0].clone();
    (row.lease.owner, row.lease.epoch) = (OTHER, 1);
    let mut delta = delta(&world);
    delta.instances = vec![row];
    delta.services = world.rows.services.clone();
    assert!(world.state.update(Update::Delta(delta.clone())));
    let body = show(&world).await;
    assert_eq!(body["instance"]["owner"], OTHER.to_string());
    assert_eq!(body["proposed_owner"], Value::Null);
    assert_eq!((&body["operators_total"], &body["endorsements_total"]), (&0.into(), &0.into()));

    // Endorsed anew, and withdrawn.
    let mut said = InstanceGrants { epoch: 1, proposed_owner: None, ..grants(&world) };
    delta.grants.instances = vec![said.clone()];
    assert!(world.state.update(Update::Delta(delta.clone())));
    assert_eq!(show(&world).await["endorsements_total"], 1);
    (said.operators, said.endorsements) = (List::default(), List::default());
    delta.grants.instances = vec![said];
    assert!(world.state.update(Update::Delta(delta)));
    assert_eq!(show(&world).await["endorsements"], Value::Array(vec![]));
}

fn delta(world: &World) -> Delta {
    Delta {
        checkpoint: world.rows.checkpoint.clone(),
        namespaces: vec![],
        services: vec![],
        instances: vec![],
        leases: vec![],
        grants: Grants::default(),
    }
}

#[tokio::test]
async fn lists_are_bounded_and_say_how_many_there_are() {
    let mut world = World::with([("payments", "a1", |_| {})]);
    let many = List { items: vec![operator(1, Permissions::UPDATE); LIST], total: 5_000 };
    let mut said = grants(&world);
    said.operators = many.clone();
    said.endorsements = List { items: vec![endorsement(B256::ZERO); LIST], total: 1_000_000 };
    world.rows.grants.instances = vec![said];
    world.rows.grants.owners = vec![OwnerGrants { owner: OWNER, operators: many }];
    world.load();
    let body = show(&world).await;
    assert_eq!(body["operators"].as_array().map(Vec::len), Some(LIST));
    assert_eq!(body["operators_total"], 10_000);
    assert_eq!(body["endorsements"].as_array().map(Vec::len), Some(LIST));
    assert_eq!(body["endorsements_total"], 1_000_000);
}

#[tokio::test]
async fn a_hostile_reason_and_a_hostile_topic_are_harmless() {
    let mut world = World::with([("payments", "a1", |row| {
        row.lease.status = Status::Suspended;
        row.reason = Some(Bytes::from_static(b"<script>\x1b[2J\r\nSet-Cookie: x\0\xff\xe2\x80\xae"));
    })]);
    let mut said = grants(&world);
    said.endorsements = one(endorsement(B256::right_padding_from(b"\x1b[2J")));
    world.rows.grants.instances = vec![said];
    world.load();
    let body = show(&world).await;
    let reason = "<script>\\u{1b}[2J\\u{d}\\u{a}Set-Cookie: x\\u{0}\u{fffd}\\u{202e}";
    assert_eq!(body["instance"]["reason"], reason);
    assert!(body["endorsements"][0]["topic"].as_str().is_some_and(|topic| topic.starts_with("0x1b5b")), "{body}");

    // The list has the reason too, and nothing of the lists.
    let all = world.get("/v1/namespaces/acme/services/payments/instances?health=all").await;
    assert_eq!(all.body["instances"][0]["reason"], reason);
    assert_eq!(all.body["instances"][0]["status"], "suspended");
    assert!(all.body["instances"][0].get("endorsements").is_none());
    assert!(world.labels("").await.is_empty(), "suspended is not live");
}

#[tokio::test]
async fn a_namespace_shows_who_governs_it_and_whom_it_admits() {
    let mut world = World::new();
    let registrar = Registrar { account: OTHER, expires_at: u64::MAX };
    let said = |id: NamespaceId, epoch| NamespaceGrants {
        id,
        epoch,
        proposed_owner: Some(OTHER),
        registrars: List { items: vec![registrar; LIST], total: 101 },
    };
    world.rows.namespaces[0].open = true;
    world.rows.namespaces[0].epoch = 3;
    world.rows.grants.namespaces = vec![said(acme().id(), 3), said(Namespace::Account(OWNER).id(), 0)];
    world.load();

    let answer = world.get("/v1/namespaces/acme").await;
    assert_eq!(answer.status, 200);
    let parsed: api::NamespaceAnswer = serde_json::from_value(answer.body.clone()).expect("the client reads it");
    assert_eq!((parsed.owner, parsed.open, parsed.epoch), (OWNER, true, 3));
    assert_eq!((parsed.id, parsed.proposed_owner), (acme().id(), Some(OTHER)));
    assert_eq!((parsed.registrars.len(), parsed.registrars_total), (LIST, 101));
    assert_eq!(answer.body["registrars"][0]["expires_at"], "9999-12-31T23:59:59Z");
    assert_eq!(answer.header("x-registry-block"), "100");

    // A personal one needs no row; what is said of an epoch that has ended is void.
    let personal = world.get(&format!("/v1/namespaces/{}", OWNER.to_string().to_lowercase())).await;
    assert_eq!(personal.body["namespace"], OWNER.to_string());
    assert_eq!((&personal.body["open"], &personal.body["registrars_total"]), (&false.into(), &101.into()));
    world.rows.namespaces[0].epoch = 4;
    world.load();
    let next = world.get("/v1/namespaces/acme").await;
    assert_eq!(next.body["proposed_owner"], Value::Null);
    assert_eq!((&next.body["registrars"], &next.body["registrars_total"]), (&Value::Array(vec![]), &0.into()));

    world.get("/v1/namespaces/nobody").await.problem(404, "unknown-namespace");
    world.get("/v1/namespaces/-a").await.problem(400, "bad-parameter");
    world.get("/v1/namespaces/acme?x=1").await.problem(400, "unknown-parameter");
}
