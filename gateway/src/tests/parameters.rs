//! Every parameter of the contract, with a value that is right and with some that are wrong.

use std::collections::BTreeSet;

use axum::http::Method;
use futures::StreamExt;
use serde_json::json;
use store::{
    ingest::{Batch, RollUp, Writer},
    rows::{HeartbeatRow, UptimeRow},
};

use super::{
    feed::{Feed, NEVER, registered},
    filter::query,
    registration::{Fake, GAS, signed},
    *,
};
use crate::Relay;

type Pairs = &'static [(&'static str, &'static str)];
type Shows = fn(&Answer) -> bool;

/// A parameter of an operation: in its path, its query, its headers or its body.
struct Row {
    operation: &'static str,
    place: &'static str,
    name: &'static str,
    /// A value that is right, what has to be in the query as well, and how the answer shows that it was understood.
    right: String,
    with: Pairs,
    shows: Shows,
    wrong: Vec<&'static str>,
}

/// A request that is right.
struct Asked {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

/// One instance that claims all that there is, with all kinds of events and with uptimes; and a gateway with a relayer.
async fn everything() -> (Feed, Writer) {
    let mut feed = Feed::start(NEVER).await;
    let writer = feed.init().await;
    let mut batch = registered("a1", 1);
    batch.instances[0].metadata = metadata(
        r#"{"zone":"z1","region":"eu","protocol":"grpc","tags":["blue"],"canary":true,"geo":{"lat":52.52,"lon":13.4},
            "latency_ms":12,"resources":{"cpu":4,"memory_mb":1024,"storage_gb":10}}"#,
    );
    let search = instance(&acme(), "search", "s1");
    batch.services.push(ServiceRow { key: search.service, name: "search".into(), ..batch.services[0].clone() });
    batch.instances.push(search);
    let beat = |log_index| HeartbeatRow { instance: row().id, block_number: 2, log_index, time: NOW };
    let batch = Batch { events: super::history::all_kinds(), heartbeats: vec![beat(1), beat(9)], ..batch };
    feed.apply(&writer, batch).await;
    feed.until(&["a1"]).await;
    let rows = vec![UptimeRow { day: 20_000, instance: row().id, seconds_up: 86_400, heartbeats: 4 }];
    let roll_up = RollUp { rows, leases: vec![], day: 20_003, block: 2 };
    writer.roll_up(feed.head.block, &roll_up).await.expect("rolled up");
    feed.world.state.relay_by(&Relay { relayer: Fake::new(), gas_per_hour: 1_000 * GAS });
    (feed, writer)
}

fn row() -> InstanceRow {
    instance(&acme(), "payments", "a1")
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |operation, place, name, right: &str, with, shows, wrong: &[&'static str]| {
        rows.push(Row { operation, place, name, right: right.to_owned(), with, shows, wrong: wrong.to_vec() });
    };
    let id = row().id.to_string();
    for (operation, shows) in [
        ("get_instance", (|a| a.body["instance"]["label"] == "a1") as Shows),
        ("instance_history", |a| a.body["instance"] == row().id.to_string()),
        ("instance_uptime", |a| a.body["instance"] == row().id.to_string()),
    ] {
        add(operation, "path", "id", &id, &[], shows, &["0x12", "a1", "0x"]);
    }
    add("get_namespace", "path", "ns", "acme", &[], |a| a.body["namespace"] == "acme", &["ACME", "0x12", "-"]);
    add("list_instances", "path", "ns", "acme", &[], |a| a.body["namespace"] == "acme", &["ACME", "0x12", "-"]);
    add("list_instances", "path", "name", "payments", &[], |a| a.body["service"] == "payments", &["Pay", "-", "p%20q"]);

    // Which instances: `eu` is the region of the only one.
    const FOUND: Shows = |a| a.body["matched"] == 1;
    const NONE: Shows = |a| a.body["matched"] == 0;
    const NUMBERS: &[&str] = &["", "-1", "NaN", "inf", "much"];
    const TEXTS: &[&str] = &["\0", "a\nb", "\u{85}"];
    for operation in ["list_instances", "watch"] {
        let mut add = |name, right, with, shows, wrong| add(operation, "query", name, right, with, shows, wrong);
        add("version", "^2", &[], NONE, &["", "latest", "^1.2.3.4"]);
        add("tag", "blue", &[], FOUND, TEXTS);
        add("zone", "z2", &[], NONE, TEXTS);
        add("region", "us", &[], NONE, TEXTS);
        add("protocol", "http", &[], NONE, TEXTS);
        add("meta", "true", &[], FOUND, TEXTS);
        add("filter", "zone != z1", &[], NONE, &["", "zone", "zone = z1", "zone == z1 and"]);
        add("near", "52.52,13.405", &[], FOUND, &["", "52", "91,0", "0,181", "NaN,0", "1,2,3"]);
        add("max_distance_km", "1", &[("near", "0,0")], NONE, NUMBERS);
        add("max_latency_ms", "5", &[], NONE, NUMBERS);
        add("resources.cpu", "5", &[], NONE, NUMBERS);
        add("resources.memory_mb", "2048", &[], NONE, NUMBERS);
        add("resources.storage_gb", "11", &[], NONE, NUMBERS);
        let tier: Shows = |a| a.body["tier"] == json!({ "number": 1, "region": "eu" });
        add("failover", "eu", &[("region", "us")], tier, &["", "us", "eu,", "eu,eu", "a,b,c,d,e,f,g,h,i"]);
        add("health", "all", &[], |a| a.body["health"] == "all", &["", "sick", "Healthy"]);
        add("limit", "1", &[], FOUND, &["", "0", "1001", "-1", "1.5", "99999999999999999999"]);
    }
    let mut query =
        |operation, name, right, with, shows, wrong| add(operation, "query", name, right, with, shows, wrong);
    query(
        "watch",
        "service",
        "acme/payments",
        &[],
        |a| a.body["service"] == "payments",
        &["", "payments", "acme/Pay", "a/b/c"],
    );
    query("list_instances", "consistency", "latest", &[], FOUND, &["", "sure", "Latest"]);
    let uncached: Shows = |a| a.header("cache-control") == "no-store";
    query("list_instances", "index", "1", &[], uncached, &["", "0", "-1", "x", "99999999999999999999"]);
    query("list_instances", "wait", "1s", &[("index", "1")], uncached, &["", "5", "0s", "11m", "-1s", "1h", "s"]);

    query("list_services", "namespace", "globex", &[], |a| a.body["services"] == json!([]), &["", "ACME", "0x12"]);
    query("list_services", "prefix", "sea", &[], |a| a.body["services"][0]["name"] == "search", &["Pay", "-", "a/b"]);
    // acme/payments
    let after: Shows = |a| a.body["services"][0]["name"] == "search";
    query("list_services", "cursor", "YWNtZS9wYXltZW50cw", &[], after, &["", "x", "YWNtZQ", "\0"]);
    let one: Shows = |a| a.body["next_cursor"] == "YWNtZS9wYXltZW50cw";
    query("list_services", "limit", "1", &[], one, &["", "0", "1001", "-1", "many"]);

    fn event(answer: &Answer, n: usize) -> &Value {
        &answer.body["events"][n]["event"]["kind"]
    }
    query("instance_history", "kind", "endorsed", &[], |a| event(a, 0) == "endorsed", &["", "Endorsed", "beat"]);
    query("instance_history", "order", "asc", &[], |a| event(a, 0) == "registered", &["", "newest", "ASC"]);
    // 2/10: what came before the tenth log of block 2, newest first.
    query("instance_history", "cursor", "Mi8xMA", &[], |a| event(a, 0) == "withdrawn", &["", "MTA", "MDEwLzE", "x"]);
    query("instance_history", "limit", "1", &[], |a| event(a, 1).is_null(), &["", "0", "201", "-1"]);
    let last: Shows = |a| a.body["days"].as_array().is_some_and(|days| days.len() == 1);
    query("instance_uptime", "from", "2024-10-06", &[], last, &["", "2024-10-6", "today", "1969-12-31", "2024-02-30"]);
    let first: Shows = |a| a.body["days"][29]["seconds_up"] == 86_400;
    query("instance_uptime", "to", "2024-10-04", &[], first, &["", "2024-10-6", "today", "1969-12-31", "2024-02-30"]);

    let kept =
        ["get_instance", "instance_history", "instance_uptime", "get_namespace", "list_instances", "list_services"];
    for operation in kept {
        // What is no tag is that of no answer.
        add(operation, "header", "If-None-Match", "*", &[], |a| a.status == 304, &[]);
    }
    add("watch", "header", "Last-Event-ID", "7", &[], FOUND, &["", "x", "-1", "99999999999999999999"]);
    let all = ["watch", "discover", "register", "discovery_health", "livez", "readyz"];
    for operation in kept.into_iter().chain(all) {
        let told: Shows = |a| a.header("server-timing").starts_with("total;dur=");
        add(operation, "header", "X-Server-Timing", "1", &[], told, &["", "2", "yes"]);
    }

    // The fields of bodies, as JSON.
    const SOME: Shows = |a| a.body["instances"].as_array().is_some_and(|list| list.len() == 1);
    const NOBODY: Shows = |a| a.body["instances"] == json!([]);
    const WRONG: &[&str] = &["-1", "1e999", "\"5\"", "[]"];
    const OBJECTS: &[&str] = &["1", "\"\"", "[]", r#"{"more":1}"#];
    let mut field = |name, right, shows, wrong| add("discover", "body", name, right, &[], shows, wrong);
    field("service_name", "\"acme/payments\"", SOME, &["\"payments\"", "\"Acme/payments\"", "\"a/b/c\"", "1", "null"]);
    field("constraints", "null", SOME, OBJECTS);
    field("constraints.location", "{}", SOME, OBJECTS);
    field("constraints.location.region", "\"us\"", NOBODY, &["1", "[]"]);
    field("constraints.location.zone", "\"z2\"", NOBODY, &["1", "[]"]);
    const NOWHERE: &[&str] = &["1", "[52,13]", r#"{"lat":1}"#, r#"{"lat":91,"lon":0}"#];
    let here = r#"{"lat":52.5,"lon":13.4}"#;
    field("constraints.location.near", here, SOME, NOWHERE);
    field("constraints.location.near.lat", "0", NOBODY, &["\"0\"", "null", "1e999"]);
    field("constraints.location.near.lon", "0", NOBODY, &["\"0\"", "null", "1e999"]);
    field("constraints.location.max_distance_km", "100", SOME, WRONG);
    field("constraints.latency", "{}", SOME, OBJECTS);
    field("constraints.latency.max_ms", "5", NOBODY, WRONG);
    field("constraints.resources", "{}", SOME, OBJECTS);
    field("constraints.resources.cpu", "5", NOBODY, WRONG);
    field("constraints.resources.memory_mb", "2048", NOBODY, WRONG);
    field("constraints.resources.storage_gb", "11", NOBODY, WRONG);

    const TAKEN: Shows = |a| a.status == 202;
    const NATURAL: &[&str] = &["-1", "\"1\"", "1.5", "null", "99999999999999999999"];
    const BYTES: &[&str] = &["\"\"", "\"0x0\"", "\"00\"", "\"0xzz\"", "1", "null", "[0]"];
    let mut field = |name, right, wrong| add("register", "body", name, right, &[], TAKEN, wrong);
    field("chain_id", "1", NATURAL);
    field("contract", "\"0x0303030303030303030303030303030303030303\"", BYTES);
    field("kind", "\"register\"", &["\"heartbeat\"", "\"burn\"", "1", "null"]);
    field("deadline", "1700003600", NATURAL);
    field("signature", "\"0xab\"", BYTES);
    let message = signed("b1")["message"].to_string();
    field("message", &message, &["1", "[]", "null", "{}"]);
    field("message.service", "\"acme/search\"", &["\"search\"", "\"a/b/c\"", "\"0x12/a\"", "1", "null"]);
    field("message.registrant", "\"0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\"", BYTES);
    field("message.label", "\"b2\"", &["\"\"", "\"B2\"", "1", "null"]);
    field("message.version", "\"2.0.0\"", &["\"\"", "\"a b\"", "1", "null"]);
    field("message.endpoints", "[\"0x61\"]", &["1", "null", "{}", "[1]", "[\"61\"]"]);
    field("message.metadata", "\"0x\"", &["\"\"", "\"7b7d\"", "{}", "null"]);
    field("message.ttl_s", "60", NATURAL);
    field("message.epoch", "1", NATURAL);
    rows
}

/// A request that is right but for what the test does to it.
fn ask(document: &Value, operation: &str, n: usize) -> Asked {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, of)| of.as_object().expect("methods").iter().map(move |it| (path, it)));
    let mut named = all.filter(|(path, (_, it))| it["operationId"] == operation || path[1..] == *operation);
    let (path, (method, _)) = named.next().unwrap_or_else(|| panic!("no operation {operation}"));
    let near = json!({ "near": { "lat": 52.5, "lon": 13.4 }, "max_distance_km": 100 });
    let body = match operation {
        "discover" => Some(json!({
            "service_name": "acme/payments",
            "constraints": { "location": near, "latency": {}, "resources": {} },
        })),
        "register" => Some(signed(&format!("r{n}"))),
        _ => None,
    };
    let query = if operation == "watch" { vec![("service".to_owned(), "acme/payments".to_owned())] } else { vec![] };
    let method = method.to_uppercase().parse().expect("a method");
    Asked { method, path: path.clone(), query, headers: vec![], body }
}

impl Asked {
    fn set(&mut self, row: &Row, value: &str) {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match row.place {
            "path" => self.path = self.path.replace(&format!("{{{}}}", row.name), value),
            "query" => {
                let name = if row.name == "meta" { "meta.canary" } else { row.name };
                self.query.retain(|(other, _)| other != name);
                self.query.push(pair(name, value));
            }
            "header" => self.headers.push((row.name, value.to_owned())),
            _ => {
                let mut field = self.body.as_mut().expect("a body");
                for name in row.name.split('.') {
                    field = &mut field[name];
                }
                // No `f64` is so large, but JSON can say it.
                *field = if value == "1e999" { json!("1e999!") } else { serde_json::from_str(value).expect("JSON") };
            }
        }
        self.query.extend(row.with.iter().map(|(name, value)| pair(name, value)));
    }

    async fn send(self, world: &World) -> Answer {
        let pairs: Vec<_> = self.query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let path =
            self.path.replace("{id}", &row().id.to_string()).replace("{ns}", "acme").replace("{name}", "payments");
        let mut request = Request::builder().method(self.method).uri(format!("{path}{}", query(&pairs)));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let body = self.body.map(|body| body.to_string().replace("\"1e999!\"", "1e999"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Body::from(body.unwrap_or_default())).expect("a request");
        let response = world.routes().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = response.into_body().into_data_stream();
        let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        // A watch never ends: its first event is what matters.
        let bytes = if is_stream {
            let event = body.next().await.expect("an event").expect("no error");
            let text = String::from_utf8(event.to_vec()).expect("text");
            text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data").to_owned().into_bytes()
        } else {
            to_bytes(Body::from_stream(body), usize::MAX).await.expect("a body").to_vec()
        };
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        Answer { status, headers, body }
    }
}

/// Operation, place and name of all that the contract has.
fn documented(document: &Value) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for operation in operations.as_object().expect("methods").values() {
            let operation_id = operation["operationId"].as_str().unwrap_or(&path[1..]);
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let text = |key: &str| parameter[key].as_str().expect(key).to_owned();
                all.insert((operation_id.to_owned(), text("in"), text("name")));
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            fields(document, schema, "", &mut |name| {
                all.insert((operation_id.to_owned(), "body".to_owned(), name));
            });
        }
    }
    all
}

/// Tells of all fields of a schema, and of the fields of these.
fn fields(document: &Value, schema: &Value, before: &str, tell: &mut impl FnMut(String)) {
    if let Some(name) = schema["$ref"].as_str() {
        return fields(document, document.pointer(&name[1..]).expect("a schema"), before, tell);
    }
    for either in schema["oneOf"].as_array().into_iter().flatten() {
        fields(document, either, before, tell);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{before}{name}");
        fields(document, field, &format!("{name}."), tell);
        tell(name);
    }
}

#[tokio::test]
async fn every_parameter_has_a_right_and_a_wrong_value() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let rows = rows();
    let tested = rows.iter().map(|row| (row.operation.to_owned(), row.place.to_owned(), row.name.to_owned()));
    assert_eq!(tested.collect::<BTreeSet<_>>(), documented(&document), "tested, and documented");

    let (feed, _writer) = everything().await;
    let mut faults = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let answer = async |value: &str| {
            let mut asked = ask(&document, row.operation, n);
            asked.set(row, value);
            asked.send(&feed.world).await
        };
        let right = answer(&row.right).await;
        let is_taken = right.status.is_success() || right.status == 304;
        if !is_taken || !(row.shows)(&right) {
            faults.push(format!("{} of {} = {}: {}", row.name, row.operation, row.right, right.body));
        }
        assert!(!row.wrong.is_empty() || row.name == "If-None-Match", "{} has no wrong value", row.name);
        for value in &row.wrong {
            let wrong = answer(value).await;
            let name = row.name.rsplit_once('.').map_or(row.name, |(_, last)| last).to_lowercase();
            let is_named = || wrong.body["detail"].as_str().is_some_and(|text| text.to_lowercase().contains(&name));
            if !(wrong.status == 400 && is_named()) {
                faults.push(format!("{} of {} = {value:?}: {} {}", row.name, row.operation, wrong.status, wrong.body));
                continue;
            }
            let is_body = wrong.body["type"] == "urn:rollcall:error:bad-body";
            wrong.problem(400, if row.place == "body" && is_body { "bad-body" } else { "bad-parameter" });
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
