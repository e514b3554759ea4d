//! `GET /v1/services`

use super::*;

fn plain(_: &mut InstanceRow) {}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let services = answer.body["services"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    services.iter().map(|s| format!("{}/{}", text(&s["namespace"]), text(&s["name"]))).collect()
}

fn world() -> World {
    let mut world = World::new();
    let beta = Namespace::Label("beta".into());
    world.rows.namespaces.push(NamespaceRow {
        id: beta.id(),
        label: Some("beta".into()),
        owner: Address::repeat_byte(7),
        ..namespace_row()
    });
    for (namespace, service) in [
        (beta, "payments"),
        (acme(), "search"),
        (acme(), "payments"),
        (acme(), "pay"),
        (Namespace::Account(OWNER), "pay"),
    ] {
        world.add(namespace, service, "a1", plain);
    }
    world.add(acme(), "search", "a2", |row| row.lease.last_heartbeat = NOW - 31);
    world.add(acme(), "search", "a3", |row| row.lease.status = Status::Deregistered);
    world.load();
    world
}

#[tokio::test]
async fn services_come_in_order_with_their_counts() {
    let world = world();
    let answer = world.get("/v1/services").await;
    let account = format!("{OWNER}/pay");
    assert_eq!(names(&answer), [account.as_str(), "acme/pay", "acme/payments", "acme/search", "beta/payments"]);
    let search = &answer.body["services"][3];
    assert_eq!((&search["listed"], &search["live"]), (&2.into(), &1.into()));
    assert_eq!(search["authority"], OWNER.to_string());
    assert_eq!(answer.body["services"][0]["authority"], OWNER.to_string());
    assert_eq!(search["key"], ServiceKey::new(acme().id(), "search").to_string());
    assert!(answer.body.get("next_cursor").is_none());
    assert_eq!(answer.body["block"]["number"], 100);
    serde_json::from_value::<api::ServicesAnswer>(answer.body).expect("the client reads it");
}

#[tokio::test]
async fn namespace_and_prefix_filter() {
    let world = world();
    for (query, expected) in [
        ("namespace=acme", vec!["acme/pay", "acme/payments", "acme/search"]),
        ("namespace=acme&prefix=pay", vec!["acme/pay", "acme/payments"]),
        ("namespace=acme&prefix=payments", vec!["acme/payments"]),
        ("namespace=acme&prefix=", vec!["acme/pay", "acme/payments", "acme/search"]),
        ("prefix=payments", vec!["acme/payments", "beta/payments"]),
        ("prefix=x", vec![]),
        ("namespace=gamma", vec![]),
    ] {
        assert_eq!(names(&world.get(&format!("/v1/services?{query}")).await), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let world = world();
    for filter in ["", "&prefix=pay", "&namespace=acme", "&namespace=acme&prefix=pay"] {
        let whole = names(&world.get(&format!("/v1/services?limit=1000{filter}")).await);
        for limit in 1..=whole.len() + 1 {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = world.get(&format!("/v1/services?limit={limit}{filter}{cursor}")).await;
                let services = names(&page);
                assert!(services.len() == limit || page.body.get("next_cursor").is_none());
                seen.extend(services);
                let Some(next) = page.body["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(seen, whole, "{filter} {limit}");
        }
    }
}

#[tokio::test]
async fn an_empty_index_has_no_services() {
    assert!(names(&World::new().get("/v1/services").await).is_empty());
}

#[tokio::test]
async fn a_prefix_skips_what_does_not_begin_with_it() {
    let mut world = world();
    let prefixed = Namespace::Label("acme-2".into());
    world.rows.namespaces.push(NamespaceRow { id: prefixed.id(), label: Some("acme-2".into()), ..namespace_row() });
    for service in ["a", "pa", "pay", "pay-2", "payz", "pb", "z"] {
        world.add(prefixed.clone(), service, "a1", plain);
    }
    world.load();
    let all = names(&world.get("/v1/services?limit=1000").await);
    for prefix in ["p", "pa", "pay", "pay-", "payz", "a", "z", "y", "payments"] {
        let expected: Vec<&String> =
            all.iter().filter(|name| name.split_once('/').is_some_and(|(_, name)| name.starts_with(prefix))).collect();
        for limit in 1..=3 {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = world.get(&format!("/v1/services?limit={limit}&prefix={prefix}{cursor}")).await;
                seen.extend(names(&page));
                let Some(next) = page.body["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(seen.iter().collect::<Vec<_>>(), expected, "{prefix} {limit}");
        }
    }
}

#[tokio::test]
async fn live_instances_are_counted_as_they_come_and_go() {
    let mut world = world();
    let live = async |world: &World| {
        let health = world.get("/v1/discovery/health").await.body;
        let answer = world.get("/v1/services?limit=1000").await.body;
        let listed =
            answer["services"].as_array().expect("a list").iter().map(|s| s["live"].as_u64().expect("a number"));
        assert_eq!(health["metrics"]["live_instances"], listed.sum::<u64>());
        health["metrics"]["live_instances"].as_u64().expect("a number")
    };
    assert_eq!(live(&world).await, 5);
    let mut delta = |change: fn(&mut InstanceRow), seconds| {
        let checkpoint = &mut world.rows.checkpoint;
        checkpoint.head.number += 1;
        checkpoint.change_seq += 1;
        checkpoint.head_time += seconds;
        let row = &mut world.rows.instances[0];
        change(row);
        let delta = store::query::Delta {
            checkpoint: checkpoint.clone(),
            namespaces: vec![],
            services: vec![],
            instances: vec![row.clone()],
            leases: vec![],
            grants: Grants::default(),
        };
        assert!(world.state.update(Update::Delta(delta)));
        world.state.vitals().counts.live
    };
    assert_eq!(delta(|row| row.lease.status = Status::Suspended, 1), 4);
    assert_eq!(delta(|row| row.lease.status = Status::Active, 1), 5);
    assert_eq!(delta(|row| row.lease.status = Status::Deregistered, 1), 4);
    assert_eq!(delta(|row| row.lease.last_heartbeat += 60, 40), 0);
    assert_eq!(live(&world).await, 0);
}
