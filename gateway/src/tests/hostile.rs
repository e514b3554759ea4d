//! What strangers write on the chain or send in requests is harmless.

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances?health=all";

#[tokio::test]
async fn hostile_endpoints_and_metadata_are_served_as_bytes() {
    let world = World::with([
        ("payments", "nul", |row| {
            row.endpoints = vec![Bytes::from_static(b"https://a\0.example"), Bytes::from_static(b"ok")];
            row.metadata = metadata(r#"{"a":"\u0000","b":"</script><script>alert(1)</script>","c":"\u202e"}"#);
        }),
        ("payments", "invalid", |row| {
            row.endpoints = vec![Bytes::from_static(&[0xff, 0xfe])];
            row.metadata = Bytes::from_static(&[0xff, b'{', b'}']);
        }),
        ("payments", "deep", |row| row.metadata = "{\"a\":".repeat(800).into_bytes().into()),
        ("payments", "twice", |row| row.metadata = metadata(r#"{"zone":"z1","zone":"z2"}"#)),
        ("payments", "header", |row| row.endpoints = vec![Bytes::from_static(b"a\r\nSet-Cookie: evil=1")]),
        ("payments", "raw", |row| row.metadata = metadata(r#"{"a":{"$serde_json::private::RawValue":"{"}}"#)),
    ]);
    let answer = world.get(PATH).await;
    assert_eq!(answer.status, 200);
    let by_label = |label: &str| {
        answer.body["instances"].as_array().and_then(|l| l.iter().find(|i| i["label"] == label)).expect("it").clone()
    };
    assert_eq!(by_label("nul")["endpoints"][0]["base64"], "aHR0cHM6Ly9hAC5leGFtcGxl");
    assert_eq!(by_label("nul")["endpoints"][1]["uri"], "ok");
    assert_eq!(by_label("nul")["metadata"]["a"], "\0");
    assert_eq!(by_label("invalid")["metadata_base64"], "/3t9");
    for label in ["invalid", "deep", "twice", "raw"] {
        assert!(by_label(label).get("metadata").is_none(), "{label}");
        assert!(by_label(label)["metadata_base64"].is_string(), "{label}");
    }
    assert!(by_label("header")["endpoints"][0]["base64"].is_string());
    serde_json::from_value::<api::InstancesAnswer>(answer.body.clone()).expect("the client reads it");
    // Metadata that two parsers read differently matches neither reading.
    assert!(world.labels("?zone=z2").await.is_empty());
    assert!(world.labels("?zone=z1").await == ["header"]);
}

#[tokio::test]
async fn absurd_times_do_not_break_an_answer() {
    let world = World::with([("payments", "a1", |row| {
        row.lease.last_heartbeat = (1 << 40) - 1;
        row.lease.ttl = u32::MAX;
    })]);
    assert_eq!(world.get(PATH).await.body["instances"][0]["expires_at"], "9999-12-31T23:59:59Z");
}

#[test]
fn any_record_is_served_as_json_that_the_client_reads() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    let near_json = r#"\{("[a-z]{1,2}":("[^"]{0,4}"|-?[0-9]{1,25}(e-?[0-9]{1,3})?|null|\{\}|\[[0-9]?\]),?){0,4}\}"#;
    let records = (bytes(), prop_oneof![bytes(), near_json.prop_map(String::into_bytes)]);
    TestRunner::default()
        .run(&records, |(endpoint, metadata)| {
            let mut world = World::new();
            world.add(acme(), "payments", "a1", |row| {
                row.endpoints = vec![endpoint.clone().into()];
                row.metadata = metadata.clone().into();
            });
            world.load();
            let answer = runtime.block_on(world.get(PATH));
            prop_assert_eq!(answer.status, 200);
            let answer: api::InstancesAnswer = serde_json::from_value(answer.body).expect("the client reads it");
            prop_assert_eq!(answer.instances[0].endpoints[0].to_bytes().expect("base64"), endpoint);
            Ok(())
        })
        .expect("every record");
}

#[test]
fn any_query_string_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = World::with([("payments", "a1", |_| {})]);
    let name = "(limit|version|zone|tag|meta\\.[a-z]?|health|cursor|prefix|namespace|[a-z.%0-9]{0,5})";
    let query = format!("({name}=([!$-;=?-~]|%[0-9A-F]{{2}}){{0,12}}&?){{0,4}}");
    TestRunner::default()
        .run(&(query.as_str(), any::<bool>()), |(query, services)| {
            let path = if services { "/v1/services" } else { "/v1/namespaces/acme/services/payments/instances" };
            let request = Request::get(format!("{path}?{query}")).body(Body::empty());
            prop_assume!(request.is_ok());
            let answer = runtime.block_on(world.send(request.expect("a request")));
            if answer.status != 200 {
                prop_assert!(
                    answer
                        .problem(
                            400,
                            answer.body["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default()
                        )
                        .len()
                        < 600
                );
            }
            Ok(())
        })
        .expect("every query");
}
