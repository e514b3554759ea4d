//! API keys: what they open, and every way in which one does not.

use super::*;

#[tokio::test]
async fn nobody_gets_in_without_a_key_but_to_the_probes_and_the_contract() {
    let guarded = Guarded::new();
    for path in [PAYMENTS, "/v1/services", "/v1/nonsense", "/metrics", "/v1/discovery/health", "/", "/docsx"] {
        let answer = guarded.world.get(path).await;
        let (detail, challenge) = answer.unauthorized();
        assert!(detail.contains("Authorization: Bearer"), "{path}: {detail}");
        assert_eq!(challenge, "Bearer realm=\"rollcall\"");
    }
    assert_eq!(guarded.refused("missing"), 7);
    for path in ["/livez", "/readyz", "/openapi.json", "/docs/", "/docs/swagger-ui-bundle.js"] {
        assert_eq!(guarded.world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_key_opens_all_and_its_answers_are_kept_by_no_shared_cache() {
    let guarded = Guarded::new();
    let key = guarded.key(NewKey::default());
    let answer = guarded.get_as(&key, PAYMENTS).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "private, max-age=5");
    assert!(answer.headers.get_all("vary").iter().any(|value| value == "authorization"));
    assert_eq!(guarded.get_as(&key, "/v1/services").await.body["services"].as_array().map(Vec::len), Some(3));
    for scheme in ["bearer", "BEARER"] {
        assert_eq!(guarded.get_with(&format!("{scheme} {}", key.expose()), PAYMENTS).await.status, 200);
    }
    // Where everybody may read, any cache may keep it.
    let open = World::with([("payments", "a1", |_| {})]);
    assert_eq!(open.get(PAYMENTS).await.header("cache-control"), "public, max-age=5");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_never_repeated() {
    let guarded = Guarded::new();
    let text = guarded.key(NewKey::default()).expose();
    let other = Guarded::new().key(NewKey::default()).expose();
    // The id of one with the secret of another.
    let mixed = format!("{}{}", &text[..17], &other[17..]);
    for (sent, reason, error) in [
        (format!("Bearer {other}"), "unknown_key", "invalid_token"),
        (format!("Bearer {mixed}"), "unknown_key", "invalid_token"),
        (format!("Bearer {}", text.to_uppercase().replace("RCK", "rck")), "malformed", "invalid_request"),
        (format!("Bearer {}", &text[..80]), "malformed", "invalid_request"),
        (format!("Bearer {text}0"), "malformed", "invalid_request"),
        (format!("Bearer  {text}"), "malformed", "invalid_request"),
        (format!("Bearer {text} "), "malformed", "invalid_request"),
        (format!("Bearer {text},{text}"), "malformed", "invalid_request"),
        (format!("Bearer\t{text}"), "malformed", "invalid_request"),
        (format!("Basic {text}"), "malformed", "invalid_request"),
        (text.clone(), "malformed", "invalid_request"),
        ("Bearer".into(), "malformed", "invalid_request"),
        ("Bearer ".into(), "malformed", "invalid_request"),
        ("Bearer ==".into(), "malformed", "invalid_request"),
        (String::new(), "malformed", "invalid_request"),
        // A JWT, of which this gateway knows nothing.
        ("Bearer e30.e30.e30".into(), "malformed", "invalid_request"),
    ] {
        let before = guarded.refused(reason);
        let answer = guarded.get_with(&sent, PAYMENTS).await;
        let (_, challenge) = answer.unauthorized();
        assert!(challenge.ends_with(&format!("error=\"{error}\"")), "{sent:?}: {challenge}");
        assert_eq!(guarded.refused(reason), before + 1, "{sent:?}");
        assert!(!answer.body.to_string().contains(&text[20..40]), "{}", answer.body);
    }
}

#[tokio::test]
async fn headers_that_are_twice_there_or_no_text_are_refused() {
    let guarded = Guarded::new();
    let good = format!("Bearer {}", guarded.key(NewKey::default()).expose());
    let twice = Request::get(PAYMENTS).header("authorization", &good).header("authorization", &good);
    guarded.world.send(twice.body(Body::empty()).expect("a request")).await.unauthorized();
    let bytes = Request::get(PAYMENTS).header("authorization", b"Bearer \xff\xfe".as_slice());
    guarded.world.send(bytes.body(Body::empty()).expect("a request")).await.unauthorized();
    // There is one way to send a key.
    let elsewhere = Request::get(PAYMENTS).header("x-api-key", &good[7..]);
    guarded.world.send(elsewhere.body(Body::empty()).expect("a request")).await.unauthorized();
    guarded.world.get(&format!("{PAYMENTS}?access_token={}", &good[7..])).await.unauthorized();
}

#[tokio::test]
async fn a_key_ends_and_is_revoked() {
    let guarded = Guarded::new();
    let short = guarded.key(NewKey { expires_in: Some(Duration::from_secs(60)), ..NewKey::default() });
    let long = guarded.key(NewKey::default());
    guarded.world.clock.advance(Duration::from_secs(59));
    assert_eq!(guarded.get_as(&short, PAYMENTS).await.status, 200);
    guarded.world.clock.advance(Duration::from_secs(1));
    assert!(guarded.get_as(&short, PAYMENTS).await.unauthorized().0.contains("has ended"));
    // Who does not know the secret does not learn that it has ended.
    let guess = format!("Bearer {}{}", &short.expose()[..17], "0".repeat(64));
    assert!(guarded.get_with(&guess, PAYMENTS).await.unauthorized().0.contains("no key of this gateway"));

    guarded.file().revoke(long.id(), guarded.world.clock.monotonic()).expect("revoked");
    assert_eq!(guarded.get_as(&long, PAYMENTS).await.status, 200, "until the file is looked at");
    guarded.world.access.refresh();
    assert!(guarded.get_as(&long, PAYMENTS).await.unauthorized().0.contains("revoked"));
    assert_eq!((guarded.refused("expired"), guarded.refused("revoked")), (1, 1));
}

#[tokio::test]
async fn a_key_reads_its_namespaces_and_no_other() {
    let guarded = Guarded::new();
    let account = Address::repeat_byte(0xcd);
    // In any case of its digits, it is one account.
    let lower = format!("{account:?}").to_lowercase();
    let key = guarded.key(NewKey { namespaces: labels(&["beta", &lower]), ..NewKey::default() });
    let (beta, jobs) =
        ("/v1/namespaces/beta/services/mail/instances", format!("/v1/namespaces/{lower}/services/jobs/instances"));
    for path in
        [beta, &jobs, &format!("/v1/namespaces/{account}"), "/v1/namespaces/beta", "/v1/services?namespace=beta"]
    {
        assert_eq!(guarded.get_as(&key, path).await.status, 200, "{path}");
    }
    let id = |at: usize| guarded.world.rows.instances[at].id;
    assert_eq!(guarded.get_as(&key, &format!("/v1/instances/{}", id(1))).await.status, 200);
    let foreign = [
        PAYMENTS.to_owned(),
        "/v1/namespaces/acme/services/unknown/instances".into(),
        "/v1/namespaces/acme".into(),
        "/v1/services?namespace=acme".into(),
        format!("/v1/instances/{}", id(0)),
    ];
    for path in &foreign {
        guarded.get_as(&key, path).await.problem(403, "forbidden");
    }
    assert_eq!(guarded.refused("namespace"), foreign.len() as u64);
    let ask = |service: &str| {
        let request = Request::post("/v1/discovery/services").header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", key.expose()));
        request.body(Body::from(format!("{{\"service_name\":\"{service}\"}}"))).expect("a request")
    };
    guarded.world.send(ask("acme/payments")).await.problem(403, "forbidden");
    assert_eq!(guarded.world.send(ask("beta/mail")).await.status, 200);

    let listed = guarded.get_as(&key, "/v1/services").await.body;
    let names: Vec<_> = listed["services"].as_array().expect("a list").iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["jobs", "mail"]);
    // What may not be read does not use up the page either.
    let page = guarded.get_as(&key, "/v1/services?limit=2").await.body;
    assert_eq!((page["services"].as_array().map(Vec::len), page.get("next_cursor")), (Some(2), None));
}

#[tokio::test]
async fn each_key_has_its_own_rate() {
    let guarded = Guarded::new();
    let slow = guarded.key(NewKey { rate: Some("2/s".parse().expect("a rate")), ..NewKey::default() });
    let free = guarded.key(NewKey::default());
    for _ in 0..2 {
        assert_eq!(guarded.get_as(&slow, PAYMENTS).await.status, 200);
    }
    let answer = guarded.get_as(&slow, PAYMENTS).await;
    answer.problem(429, "too-many-requests");
    assert_eq!((answer.header("retry-after"), guarded.refused("rate")), ("1", 1));
    assert_eq!(guarded.get_as(&free, PAYMENTS).await.status, 200);
    // A new file does not give new requests.
    guarded.key(NewKey::default());
    guarded.get_as(&slow, PAYMENTS).await.problem(429, "too-many-requests");
    guarded.world.clock.advance(Duration::from_millis(500));
    assert_eq!(guarded.get_as(&slow, PAYMENTS).await.status, 200);
    guarded.get_as(&slow, PAYMENTS).await.problem(429, "too-many-requests");
}
