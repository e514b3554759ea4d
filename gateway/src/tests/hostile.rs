//! What strangers write on the chain or send in requests is harmless.

use futures::StreamExt;
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

/// Ends lines of JSON, of headers, of metrics and of terminals.
const HOSTILE: &str = "\u{1b}[2J\r\n\r\ndata: {}\nevent: gone\u{2028}Set-Cookie: evil=1\u{202e}\u{0}\"} 1";

/// An instance that has it in all that its owner can choose freely.
fn written_by_mallory(row: &mut InstanceRow) {
    row.endpoints = vec![HOSTILE.as_bytes().into()];
    row.metadata =
        serde_json::json!({ "tags": [HOSTILE], "zone": HOSTILE, HOSTILE: HOSTILE }).to_string().into_bytes().into();
    row.reason = Some(HOSTILE.as_bytes().into());
}

#[tokio::test]
async fn what_is_on_the_chain_ends_no_line_and_reaches_no_header() {
    let hostile = World::with([("payments", "a1", written_by_mallory)]);
    let plain = World::with([("payments", "a1", |_| {})]);
    let id = hostile.rows.instances[0].id;
    let question = r#"{"service_name":"acme/payments"}"#;
    let names =
        |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
    for path in [PATH, "/v1/services", &format!("/v1/instances/{id}"), "/v1/discovery/services"] {
        let ask = async |world: &World| match path {
            "/v1/discovery/services" => world.post(path, question).await,
            _ => world.get(path).await,
        };
        let (bad, good) = (ask(&hostile).await, ask(&plain).await);
        assert_eq!((bad.status, names(&bad)), (good.status, names(&good)), "{path}");
        for value in bad.headers.values() {
            assert!(!value.to_str().expect("visible").contains("evil"), "{value:?}");
        }
    }

    let request = Request::get("/v1/watch?service=acme/payments").body(Body::empty()).expect("a request");
    let response = hostile.routes().oneshot(request).await.expect("an answer");
    let event = response.into_body().into_data_stream().next().await.expect("an event").expect("no error");
    let text = String::from_utf8(event.to_vec()).expect("text");
    let [name, number, data, "", ""] = text.split('\n').collect::<Vec<_>>()[..] else { panic!("{text:?}") };
    assert!(name == "event: snapshot" && number.starts_with("id: "), "{text:?}");
    assert!(!data.contains(char::is_control), "{data:?}");
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(data, hostile.get("/v1/namespaces/acme/services/payments/instances").await.body);
    assert_eq!(data["instances"][0]["metadata"]["zone"], HOSTILE);
}

#[tokio::test]
async fn what_strangers_send_is_told_to_people_without_what_it_does_to_terminals() {
    let world = World::with([("payments", "a1", |_| {})]);
    let ask = |method: &str, path: String, headers: &[(&'static str, &[u8])], body: String| {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::from(body)).expect("a request")
    };
    let get = |path: String| ask("GET", path, &[], String::new());
    let sent: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let sent = sent.replace('+', "%20");
    let field = serde_json::json!({ "service_name": "acme/payments", HOSTILE: 1 }).to_string();
    let inner = serde_json::json!({ "service_name": "acme/payments", "constraints": { HOSTILE: [] } }).to_string();
    let value = serde_json::json!({ "service_name": HOSTILE }).to_string();
    let post = |body| ask("POST", "/v1/discovery/services".into(), &[], body);
    let timed: &[(&'static str, &[u8])] = &[("x-server-timing", b"\xc2\x9b2J\t\xff")];
    for (request, status) in [
        (get(format!("/v1/{sent}")), 404),
        (get(format!("/v1/instances/{sent}")), 400),
        (get(format!("/v1/namespaces/{sent}/services/payments/instances")), 400),
        (get(format!("/v1/namespaces/acme/services/{sent}/instances")), 400),
        (get(format!("/v1/services?{sent}=1")), 400),
        (get(format!("/v1/services?cursor={sent}")), 400),
        (get(format!("{PATH}&meta.{sent}=1")), 400),
        (get(format!("{PATH}&filter={sent}")), 400),
        (get(format!("{PATH}&filter=zone%20==%20`{sent}")), 400),
        (get(format!("{PATH}&version={sent}")), 400),
        (get(format!("{PATH}&near={sent}")), 400),
        (get(format!("/v1/watch?service={sent}")), 400),
        (
            ask("GET", "/v1/watch?service=acme/payments".into(), &[("last-event-id", b"7\xc2\x9b2J\t")], String::new()),
            400,
        ),
        (ask("GET", "/livez".into(), timed, String::new()), 400),
        (ask("E'VIL", "/livez".into(), &[], String::new()), 405),
        (post(field), 400),
        (post(inner), 400),
        (post(value), 400),
        (ask("POST", "/v1/discovery/services".into(), &[], HOSTILE.into()), 400),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        let detail = answer.body["detail"].as_str().expect("a detail");
        assert!(
            !detail.contains(|c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}')),
            "{what}: {detail:?}"
        );
        assert!(detail.len() < 1_000, "{what}: {detail}");
        assert!(!answer.headers.contains_key("set-cookie"), "{what}");
        assert!(!answer.body.to_string().contains(|c: char| c.is_ascii_control()), "{what}");
    }

    // None of it is a label, or a line.
    let metrics = world.metrics();
    assert!(metrics.contains("method=\"other\"") && metrics.contains("route=\"none\""), "{metrics}");
    for word in ["evil", "VIL", "Cookie", "[2J", "%1B"] {
        assert!(!metrics.contains(word), "{word}: {metrics}");
    }
    let is_plain = |line: &str| line.is_ascii() && !line.contains(char::is_control);
    assert!(metrics.lines().all(is_plain), "{metrics}");
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
