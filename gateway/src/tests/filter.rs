//! The parameters that say which instances are wanted, and in which order.

use std::collections::BTreeSet;

use serde_json::json;
use url::form_urlencoded;

use super::*;
use crate::{filter::Filter, params::Params, routes::instances::KNOWN};

pub(super) const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

/// Three that claim something, one whose metadata is no JSON, one that has none.
fn world() -> World {
    World::with([
        ("payments", "berlin", |row| {
            row.version = "1.2.0".into();
            row.metadata = metadata(
                r#"{"zone":"eu-1a","region":"eu","protocol":"grpc","tags":["blue","fast",1],"weight":10,"canary":false,
                    "geo":{"lat":52.52,"lon":13.405},"latency_ms":5,"resources":{"cpu":8,"memory_mb":16384,"storage_gb":500},
                    "deep":{"a b":[{"c":"found"}]},"nothing":null,"":"nameless"}"#,
            );
        }),
        ("payments", "paris", |row| {
            row.version = "2.0.0-rc.1".into();
            row.metadata = metadata(
                r#"{"zone":"eu-2a","region":"eu","protocol":"http","tags":[],"weight":1.50,"canary":true,
                    "geo":{"lat":48.8566,"lon":2.3522},"latency_ms":20.5,"resources":{"cpu":4,"memory_mb":"8192"}}"#,
            );
        }),
        ("payments", "tokyo", |row| {
            row.version = "nightly".into();
            row.lease.owner = Address::repeat_byte(0xcd);
            row.endpoints = vec![];
            row.metadata = metadata(
                r#"{"zone":7,"region":"jp","tags":"blue","weight":"10","geo":{"lat":91,"lon":0},"latency_ms":"5","resources":[1]}"#,
            );
        }),
        ("payments", "opaque", |row| row.metadata = metadata(r#"["blue"]"#)),
        ("payments", "silent", |row| {
            row.metadata = Bytes::new();
            row.reason = Some(Bytes::from_static(b"under watch"));
        }),
    ])
}

pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// The labels of an answer, in its order.
fn in_order(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let instances = answer.body["instances"].as_array().expect("a list");
    instances.iter().map(|instance| instance["label"].as_str().expect("a label")).collect()
}

#[tokio::test]
async fn an_expression_means_what_the_docs_say() {
    let world = world();
    let all = ["berlin", "opaque", "paris", "silent", "tokyo"];
    let owner = format!("owner == `{}`", Address::repeat_byte(0xcd).to_string().to_lowercase());
    let not_owner = owner.replace("==", "!=");
    for (filter, expected) in [
        ("label == berlin", &["berlin"][..]),
        ("label != berlin", &["opaque", "paris", "silent", "tokyo"]),
        ("label contains `ar`", &["paris"]),
        ("label matches `^[bp].*s?$`", &["berlin", "paris"]),
        (r"label matches `^\w+$` and label matches `(?i)^TOKYO$`", &["tokyo"]),
        ("label not matches `o`", &["berlin", "paris", "silent"]),
        ("version == `1.2.0`", &["berlin"]),
        ("status == active", &all),
        ("status != active", &[]),
        ("reason is empty", &["berlin", "opaque", "paris", "tokyo"]),
        ("reason contains watch", &["silent"]),
        (&owner, &["tokyo"]),
        (&not_owner, &["berlin", "opaque", "paris", "silent"]),
        ("endpoints is empty", &["tokyo"]),
        ("endpoints contains `https://paris.example:8443`", &["paris"]),
        ("zone == `eu-1a`", &["berlin"]),
        // A zone that is no text is none; what is no JSON object matches neither a condition nor its opposite.
        ("zone is empty", &["tokyo"]),
        ("zone != `eu-1a`", &["paris", "tokyo"]),
        ("not zone == `eu-1a`", &["paris", "tokyo"]),
        ("zone == `eu-1a` or zone != `eu-1a`", &["berlin", "paris", "tokyo"]),
        ("zone == `eu-1a` or label == silent", &["berlin", "silent"]),
        ("not (zone == `eu-1a` and label == berlin)", &["opaque", "paris", "silent", "tokyo"]),
        ("blue in tags", &["berlin"]),
        ("1 in tags", &["berlin"]),
        ("blue not in tags", &["paris", "tokyo"]),
        ("tags is empty", &["paris", "tokyo"]),
        ("tags is not empty", &["berlin"]),
        ("meta.weight == 10", &["berlin", "tokyo"]),
        ("meta.weight == 10.0", &["berlin"]),
        ("meta.weight == 1.5", &["paris"]),
        ("meta.weight is empty", &[]),
        ("meta.weight matches 1", &["tokyo"]),
        ("meta.canary == true", &["paris"]),
        ("meta.canary != true", &["berlin", "tokyo"]),
        ("meta.nothing is empty and label == berlin", &["berlin"]),
        ("meta.nothing == null", &[]),
        ("meta.deep[`a b`].0.c == found", &["berlin"]),
        ("meta.deep[`a b`].1.c is empty", &["berlin", "paris", "tokyo"]),
        ("meta.deep contains `a b`", &["berlin"]),
        ("meta contains protocol", &["berlin", "paris"]),
        ("meta is empty", &[]),
        ("meta is not empty", &["berlin", "paris", "tokyo"]),
        ("meta[``] == nameless", &["berlin"]),
        ("meta.tags contains lu", &["tokyo"]),
        ("protocol == grpc or protocol == http and version matches rc", &["berlin", "paris"]),
        ("(protocol == grpc or protocol == http) and version matches rc", &["paris"]),
    ] {
        assert_eq!(world.labels(&query(&[("filter", filter)])).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn the_nearest_come_first() {
    let world = world();
    for (near, expected) in [
        ("52.5,13.4", ["berlin", "paris"]),
        ("48.9,2.4", ["paris", "berlin"]),
        ("90,0", ["berlin", "paris"]),
        ("-90,180", ["paris", "berlin"]),
    ] {
        let answer = world.get(&format!("{PATH}{}", query(&[("near", near)]))).await;
        let order = in_order(&answer);
        assert_eq!(order[..2], expected, "{near}");
        // A latitude of 91 is no place: unknown, like those that say nothing. They keep their order.
        let unknown: Vec<&str> = order[2..].to_vec();
        let plain = world.get(PATH).await;
        let by_id: Vec<&str> = in_order(&plain).into_iter().filter(|label| unknown.contains(label)).collect();
        assert_eq!(unknown, by_id);
        let nearest = world.get(&format!("{PATH}{}", query(&[("near", near), ("limit", "1")]))).await;
        assert_eq!((in_order(&nearest), &nearest.body["matched"]), (vec![expected[0]], &json!(5)));
    }
    for (km, expected) in [
        ("0", &[][..]),
        ("10", &["berlin"]),
        ("870", &["berlin"]),
        ("890", &["berlin", "paris"]),
        ("1e300", &["berlin", "paris"]),
    ] {
        assert_eq!(world.labels(&query(&[("near", "52.5,13.4"), ("max_distance_km", km)])).await, expected, "{km}");
    }
}

#[tokio::test]
async fn the_first_region_that_has_any_answers_and_says_so() {
    let mut world = World::with([
        ("payments", "eu", |row| row.metadata = metadata(r#"{"region":"eu","tags":["a"]}"#)),
        ("payments", "us-1", |row| row.metadata = metadata(r#"{"region":"us","tags":["a","b"]}"#)),
        ("payments", "us-2", |row| row.metadata = metadata(r#"{"region":"us"}"#)),
        ("payments", "jp", |row| row.metadata = metadata(r#"{"region":"jp","tags":["c"]}"#)),
        ("payments", "opaque", |row| row.metadata = metadata("opaque")),
    ]);
    let tier = |number: u64, region: &str| json!({ "number": number, "region": region });
    for (more, labels, expected) in [
        (vec![], vec!["eu"], tier(0, "eu")),
        (vec![("tag", "a")], vec!["eu"], tier(0, "eu")),
        (vec![("tag", "b")], vec!["us-1"], tier(1, "us")),
        (vec![("filter", "b in tags or tags is empty")], vec!["us-1", "us-2"], tier(1, "us")),
        (vec![("tag", "c")], vec!["jp"], tier(2, "jp")),
        (vec![("tag", "d")], vec![], Value::Null),
    ] {
        let pairs = [&[("region", "eu"), ("failover", "us,jp")][..], &more].concat();
        assert_eq!(world.labels(&query(&pairs)).await, labels, "{more:?}");
        let answer = world.get(&format!("{PATH}{}", query(&pairs))).await;
        assert_eq!(answer.body["tier"], expected, "{more:?}");
        assert_eq!(answer.body["matched"], labels.len());
        serde_json::from_value::<api::InstancesAnswer>(answer.body).expect("the client reads it");
    }
    let plain = world.get(&format!("{PATH}?region=eu")).await;
    assert!(plain.body.get("tier").is_none());

    // The region whose only instance dies hands over; when nobody is left, health=healthy_or_else_all begins anew.
    world.rows.instances[0].lease.ttl = 10;
    world.pass(11);
    let failover = query(&[("region", "eu"), ("failover", "us"), ("health", "healthy_or_else_all")]);
    assert_eq!(world.labels(&failover).await, ["us-1", "us-2"]);
    // The other two fall silent together, so they are kept for three ttls.
    for _ in 0..8 {
        world.pass(10);
    }
    assert_eq!(world.labels(&failover).await, ["eu"]);
}

/// For each parameter one value that is right, with who then answers, and values that are wrong.
#[tokio::test]
async fn every_documented_parameter_takes_right_values_and_refuses_wrong_ones() {
    let world = world();
    let commas = ",".repeat(1_000);
    let numbers = ["", "-1", "NaN", "inf", "-inf", "1e999", "1,5", "0x10", "five", " 1", "\0", &commas];
    let texts = ["\0", "a\nb", "\u{7f}", "\u{85}"];
    let near = ("near", "52.5,13.4");
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [&'a str], Vec<&'a str>);
    let rows: [Row<'_>; 17] = [
        ("version", "^1.2", &[], &["berlin"], vec!["", "latest", "1.2.3.4", &commas, "\0", "^99999999999999999999"]),
        ("tag", "blue", &[], &["berlin"], texts.to_vec()),
        ("zone", "eu-1a", &[], &["berlin"], texts.to_vec()),
        ("region", "eu", &[], &["berlin", "paris"], texts.to_vec()),
        ("protocol", "http", &[], &["paris"], texts.to_vec()),
        ("meta.weight", "10", &[], &["berlin", "tokyo"], texts.to_vec()),
        (
            "filter",
            "zone == `eu-1a`",
            &[],
            &["berlin"],
            vec!["", "zone", "zone = `a`", "zone == \0", &commas, "zone matches `(`"],
        ),
        ("near", "52.5,13.4", &[], &["berlin", "opaque", "paris", "silent", "tokyo"], {
            vec![
                "",
                "52.5",
                "52.5;13.4",
                "91,0",
                "-90.5,0",
                "0,180.1",
                "NaN,0",
                "0,inf",
                "1e999,0",
                "1,2,3",
                "\0,1",
                &commas,
            ]
        }),
        ("max_distance_km", "100", &[near], &["berlin"], numbers.to_vec()),
        ("max_latency_ms", "5", &[], &["berlin"], numbers.to_vec()),
        ("resources.cpu", "5", &[], &["berlin"], numbers.to_vec()),
        ("resources.memory_mb", "1", &[], &["berlin"], numbers.to_vec()),
        ("resources.storage_gb", "500", &[], &["berlin"], numbers.to_vec()),
        ("failover", "eu,us", &[("region", "mars")], &["berlin", "paris"], {
            vec!["", "eu,", "eu,eu", "mars", "\0", "a\n", &commas, "a,b,c,d,e,f,g,h,i"]
        }),
        ("health", "all", &[], &["berlin", "opaque", "paris", "silent", "tokyo"], vec!["", "sick"]),
        (
            "limit",
            "1000",
            &[],
            &["berlin", "opaque", "paris", "silent", "tokyo"],
            vec!["", "0", "1001", "1.5", "NaN", &commas],
        ),
        ("resources.cpu", "-0", &[], &["berlin", "paris"], vec!["-0.1"]),
    ];
    for (name, right, with, expected, wrong) in &rows {
        let pairs = [&[(*name, *right)], *with].concat();
        assert_eq!(world.labels(&query(&pairs)).await, *expected, "{pairs:?}");
        for value in wrong {
            let pairs = [&[(*name, *value)], *with].concat();
            let answer = world.get(&format!("{PATH}{}", query(&pairs))).await;
            let detail = answer.problem(400, "bad-parameter");
            assert!(detail.starts_with(&format!("parameter {name}: ")) && detail.len() < 600, "{value:?}: {detail}");
            assert!(!detail.contains(char::is_control), "{detail:?}");
            assert_eq!(answer.body["parameter"], *name, "{value:?}");
            assert!(!answer.body["allowed"].as_str().expect("what is allowed").is_empty());
        }
    }
    for (name, value, reason) in
        [("max_distance_km", "5", "there is no near"), ("failover", "eu", "there is no region")]
    {
        let answer = world.get(&format!("{PATH}{}", query(&[(name, value)]))).await;
        assert!(answer.problem(400, "bad-parameter").contains(reason));
    }
    let answer = world.get(&format!("{PATH}{}", query(&[("meta.a\u{7}", "b")]))).await;
    assert!(answer.problem(400, "bad-parameter").contains("control character"));
    let answer = world.get(&format!("{PATH}{}", query(&[("filter", "zone == `a` && zone == `b`")]))).await;
    assert!(
        answer
            .problem(400, "bad-parameter")
            .starts_with("parameter filter: column 13: there is \"&\"; expected: `and`")
    );
}

#[test]
fn every_parameter_is_documented_with_an_example() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let path = "/v1/namespaces/{ns}/services/{name}/instances";
    for parameter in document["paths"][path]["get"]["parameters"].as_array().expect("parameters") {
        let is_choice = !parameter["schema"]["enum"].is_null() || !parameter["schema"]["default"].is_null();
        assert!(is_choice || !parameter["example"].is_null(), "{}", parameter["name"]);
        assert!(parameter["description"].as_str().is_some_and(|text| text.len() > 10), "{}", parameter["name"]);
    }
}

fn filter(pairs: &[(&str, &str)]) -> Filter {
    let params = Params::parse(Some(&query(pairs)[1..]), &KNOWN).expect("parameters");
    Filter::from_params(&params).expect("a filter")
}

#[test]
fn filters_that_want_the_same_have_one_key() {
    assert!(filter(&[]).is_plain());
    assert!(filter(&[("limit", "5"), ("health", "all")]).is_plain());
    assert!(!filter(&[("near", "0,0")]).is_plain());
    for (one, other) in [
        (
            vec![("zone", "a"), ("tag", "x"), ("tag", "y")],
            vec![("tag", "y"), ("tag", "x"), ("zone", "a"), ("tag", "y")],
        ),
        (vec![("zone", "a"), ("tag", "x")], vec![("filter", "x in tags and (zone == `a`)")]),
        (vec![("meta.a.b", "1")], vec![("filter", "meta[`a.b`] == 1")]),
        (vec![("near", "1.0,-0"), ("max_distance_km", "1e2")], vec![("max_distance_km", "100"), ("near", "1,0")]),
        (vec![("version", "1.2")], vec![("version", "^1.2")]),
        (vec![("resources.cpu", "-0")], vec![("resources.cpu", "0")]),
    ] {
        assert_eq!(filter(&one).key(), filter(&other).key());
    }
    let different = [
        vec![],
        vec![("zone", "a")],
        vec![("zone", "b")],
        vec![("region", "a")],
        vec![("region", "a"), ("failover", "b")],
        vec![("region", "a"), ("failover", "b,c")],
        vec![("region", "a"), ("failover", "c,b")],
        vec![("region", "a"), ("zone", "b")],
        vec![("tag", "a")],
        vec![("meta.tags", "a")],
        vec![("meta.a", "b&c=d")],
        vec![("meta.a", "b"), ("meta.c", "d")],
        vec![("filter", "zone == a or region == a")],
        vec![("near", "1,2")],
        vec![("near", "2,1")],
        vec![("near", "1,2"), ("max_distance_km", "1")],
        vec![("max_latency_ms", "1")],
        vec![("resources.cpu", "1")],
        vec![("resources.storage_gb", "1")],
        vec![("version", "1")],
    ];
    let keys: BTreeSet<String> = different.iter().map(|pairs| filter(pairs).key().to_owned()).collect();
    assert_eq!(keys.len(), different.len());
}
