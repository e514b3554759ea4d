//! The services of three companies that `rollcall up` shows: two instances each, written as operators write them.

use serde_json::{Value, json};

/// One instance of the demo.
#[derive(Debug, Clone)]
pub struct DemoInstance {
    /// The company's namespace.
    pub namespace: &'static str,
    /// The service.
    pub name: &'static str,
    /// The instance's label.
    pub label: &'static str,
    /// The version that it runs.
    pub version: &'static str,
    /// Where it serves.
    pub endpoints: Vec<String>,
    /// Its metadata: a JSON object by the metadata convention.
    pub metadata: Value,
}

/// Length of a demo lease in seconds: short, so that one sees an instance expire.
pub const TTL: u32 = 15;

/// All six, the two of a company side by side.
pub fn instances() -> Vec<DemoInstance> {
    let at = |zone: &str, lat: f64, lon: f64, weight: u32, tags: &[&str], more: Value| {
        let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let mut metadata = json!({
            "region": region,
            "zone": zone,
            "geo": { "lat": lat, "lon": lon },
            "weight": weight,
            "tags": tags,
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut metadata, more) {
            all.extend(more);
        }
        metadata
    };
    vec![
        DemoInstance {
            namespace: "acme",
            name: "payments",
            label: "dublin-1",
            version: "2.4.1",
            endpoints: vec!["https://dublin-1.payments.acme.example:8443".into()],
            metadata: at(
                "eu-west-1a",
                53.35,
                -6.26,
                100,
                &["pci", "stable"],
                json!({
                    "protocol": "https", "priority": 1, "latency_ms": 12,
                    "resources": { "cpu": 4, "memory_mb": 8192, "storage_gb": 100 },
                    "health_url": "https://dublin-1.payments.acme.example:8443/healthz",
                }),
            ),
        },
        DemoInstance {
            namespace: "acme",
            name: "payments",
            label: "frankfurt-1",
            version: "2.5.0-rc.1",
            endpoints: vec!["https://frankfurt-1.payments.acme.example:8443".into()],
            metadata: at(
                "eu-central-1b",
                50.11,
                8.68,
                10,
                &["pci", "canary"],
                json!({
                    "protocol": "https", "priority": 2, "latency_ms": 18,
                    "resources": { "cpu": 4, "memory_mb": 8192, "storage_gb": 100 },
                    "health_url": "https://frankfurt-1.payments.acme.example:8443/healthz",
                }),
            ),
        },
        DemoInstance {
            namespace: "globex",
            name: "search",
            label: "virginia-1",
            version: "8.15.3",
            endpoints: vec!["grpc://10.20.0.11:9300".into(), "https://virginia-1.search.globex.example".into()],
            metadata: at(
                "us-east-1c",
                39.04,
                -77.49,
                50,
                &["primary"],
                json!({
                    "protocol": "grpc", "latency_ms": 7,
                    "resources": { "cpu": 16, "memory_mb": 65536, "storage_gb": 2000 },
                }),
            ),
        },
        DemoInstance {
            namespace: "globex",
            name: "search",
            label: "oregon-1",
            version: "8.15.3",
            endpoints: vec!["grpc://10.40.0.11:9300".into(), "https://oregon-1.search.globex.example".into()],
            metadata: at(
                "us-west-2a",
                45.84,
                -119.7,
                50,
                &["replica"],
                json!({
                    "protocol": "grpc", "latency_ms": 61,
                    "resources": { "cpu": 16, "memory_mb": 65536, "storage_gb": 2000 },
                }),
            ),
        },
        DemoInstance {
            namespace: "initech",
            name: "geo",
            label: "edge-lyon",
            version: "0.9.2",
            endpoints: vec!["udp://198.51.100.7:5353".into()],
            metadata: at("edge-fr-1a", 45.76, 4.84, 1, &["edge"], json!({ "protocol": "udp", "latency_ms": 4 })),
        },
        DemoInstance {
            namespace: "initech",
            name: "geo",
            label: "edge-osaka",
            version: "0.9.2",
            endpoints: vec!["udp://203.0.113.19:5353".into()],
            metadata: at("edge-jp-1a", 34.69, 135.5, 1, &["edge"], json!({ "protocol": "udp", "latency_ms": 9 })),
        },
    ]
}
