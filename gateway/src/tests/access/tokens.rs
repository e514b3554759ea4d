//! JWTs: every algorithm that counts, and every way in which a token does not.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::json;

use super::*;
use crate::TokenRules;

/// A JWKS with a key of each kind, and who holds the other halves.
struct Issuer {
    guarded: Guarded,
    keys: Vec<(&'static str, Algorithm, EncodingKey)>,
}

const SECRET: &[u8] = b"a secret that is 32 bytes and more";

/// A key in PKCS #1: without the 26 bytes that PKCS #8 puts before one of 2,048 bits. To make one takes a while.
static RSA: LazyLock<Vec<u8>> =
    LazyLock::new(|| KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key").serialize_der()[26..].to_vec());

/// A key in PKCS #8, version 1: the only form that the library takes.
fn ed25519(seed: u8) -> EncodingKey {
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    EncodingKey::from_ed_der(&[head.as_slice(), &[seed; 32]].concat())
}

impl Issuer {
    fn new() -> Self {
        let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key").serialize_der();
        let keys = vec![
            ("rsa", Algorithm::RS256, EncodingKey::from_rsa_der(&RSA)),
            ("ec", Algorithm::ES256, EncodingKey::from_ec_der(&ec)),
            ("ed", Algorithm::EdDSA, ed25519(1)),
            ("oct", Algorithm::HS256, EncodingKey::from_secret(SECRET)),
        ];
        let mut issuer = Self { guarded: Guarded::new(), keys };
        issuer.publish(&["rsa", "ec", "ed", "oct"]);
        let tokens = TokenRules { jwks: issuer.path(), audience: "gateway".into(), issuer: Some("us".into()) };
        let rules = AccessRules { keys: Some(issuer.guarded.path()), tokens: Some(tokens), ..AccessRules::default() };
        issuer.guarded.world.access = access_of(&rules, issuer.guarded.world.clock.clone());
        issuer
    }

    fn path(&self) -> PathBuf {
        self.guarded.folder.path().join("jwks.json")
    }

    fn key(&self, id: &str) -> &(&'static str, Algorithm, EncodingKey) {
        self.keys.iter().find(|(other, ..)| *other == id).expect("a key")
    }

    fn jwk(&self, id: &str) -> Value {
        let (id, algorithm, key) = self.key(id);
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, *algorithm).expect("a JWK")).expect("JSON");
        jwk["kid"] = json!(id);
        jwk
    }

    fn publish(&self, ids: &[&str]) {
        self.publish_keys(&ids.iter().map(|id| self.jwk(id)).collect::<Vec<_>>());
    }

    fn publish_keys(&self, keys: &[Value]) {
        fs::write(self.path(), json!({ "keys": keys }).to_string()).expect("written");
    }

    fn header(&self, id: &str) -> Header {
        let (id, algorithm, _) = self.key(id);
        Header { kid: Some((*id).to_owned()), ..Header::new(*algorithm) }
    }

    fn sign(&self, id: &str, claims: &Value) -> String {
        encode(&self.header(id), claims, &self.key(id).2).expect("a token")
    }

    async fn ask(&self, token: &str, path: &str) -> Answer {
        self.guarded.get_with(&format!("Bearer {token}"), path).await
    }

    async fn refuses(&self, token: &str, reason: &str) {
        let before = self.guarded.refused(reason);
        let answer = self.ask(token, PAYMENTS).await;
        let (_, challenge) = answer.unauthorized();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert_eq!(self.guarded.refused(reason), before + 1, "{reason}: {} {token}", answer.body);
    }
}

fn claims() -> Value {
    json!({ "sub": "ci", "aud": "gateway", "iss": "us", "exp": 100 })
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().expect("claims").remove(field)),
        value => claims[field] = value,
    }
    claims
}

#[tokio::test]
async fn each_kind_of_key_opens() {
    let issuer = Issuer::new();
    for id in ["rsa", "ec", "ed", "oct"] {
        let token = issuer.sign(id, &claims());
        for _ in 0..2 {
            assert_eq!(issuer.ask(&token, PAYMENTS).await.status, 200, "{id}");
        }
    }
    assert_eq!(issuer.ask(&issuer.sign("ed", &with("aud", json!(["other", "gateway"]))), PAYMENTS).await.status, 200);
    // Keys count beside tokens.
    let key = issuer.guarded.key(NewKey::default());
    assert_eq!(issuer.guarded.get_as(&key, PAYMENTS).await.status, 200);
}

#[tokio::test]
async fn a_token_has_its_time() {
    let issuer = Issuer::new();
    let clock = issuer.guarded.world.clock.clone();
    let early = issuer.sign("ed", &with("nbf", json!(50)));
    issuer.refuses(&early, "not_yet_valid").await;
    // The issuer's clock may be a little ahead.
    clock.advance(Duration::from_secs(20));
    assert_eq!(issuer.ask(&early, PAYMENTS).await.status, 200);
    clock.advance(Duration::from_secs(79));
    assert_eq!(issuer.ask(&early, PAYMENTS).await.status, 200);
    clock.advance(Duration::from_secs(1));
    issuer.refuses(&early, "expired").await;
    issuer.refuses(&issuer.sign("ed", &claims()), "expired").await;
}

#[tokio::test]
async fn wrong_claims_are_refused() {
    let issuer = Issuer::new();
    for (field, value, reason) in [
        ("exp", Value::Null, "bad_token"),
        ("exp", json!("100"), "bad_token"),
        ("sub", Value::Null, "bad_token"),
        ("sub", json!(""), "bad_claims"),
        ("sub", json!("x".repeat(257)), "bad_claims"),
        ("aud", Value::Null, "wrong_audience"),
        ("aud", json!("other"), "wrong_audience"),
        ("aud", json!([]), "wrong_audience"),
        ("aud", json!(["Gateway"]), "wrong_audience"),
        ("iss", Value::Null, "wrong_issuer"),
        ("iss", json!("them"), "wrong_issuer"),
        ("rollcall_namespaces", json!("acme"), "bad_token"),
        ("rollcall_namespaces", json!(["Acme"]), "bad_claims"),
        ("rollcall_rate", json!("fast"), "bad_claims"),
        ("rollcall_rate", json!(5), "bad_token"),
        ("nbf", json!("soon"), "bad_token"),
    ] {
        issuer.refuses(&issuer.sign("ed", &with(field, value)), reason).await;
    }
}

#[tokio::test]
async fn a_token_reads_its_namespaces_at_its_rate() {
    let issuer = Issuer::new();
    let token = issuer.sign("ec", &with("rollcall_namespaces", json!(["beta"])));
    assert_eq!(issuer.ask(&token, "/v1/namespaces/beta").await.status, 200);
    issuer.ask(&token, PAYMENTS).await.problem(403, "forbidden");
    issuer.ask(&issuer.sign("ec", &with("rollcall_namespaces", json!([]))), PAYMENTS).await.problem(403, "forbidden");
    // A new token of the same subject is the same identity.
    for (exp, status) in [(90, 200), (91, 200), (92, 429)] {
        let mut claims = with("rollcall_rate", json!("2/s"));
        claims["exp"] = json!(exp);
        assert_eq!(issuer.ask(&issuer.sign("ed", &claims), PAYMENTS).await.status, status);
    }
}

#[tokio::test]
async fn a_token_does_not_choose_how_it_is_verified() {
    let issuer = Issuer::new();
    let none = |alg: &str, end: &str| {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "rsa" }).to_string();
        format!("{}.{}.{end}", BASE64.encode(header), BASE64.encode(claims().to_string()))
    };
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        // Without a signature it is not even of the form of a token.
        issuer.refuses(&none(alg, "AA"), "bad_token").await;
        issuer.refuses(&none(alg, ""), "bad_token").await;
    }
    // The public key as if it were a secret, in each form that somebody may have it in.
    let jwk = issuer.jwk("rsa");
    let modulus = BASE64.decode(jwk["n"].as_str().expect("n")).expect("base64");
    for secret in [modulus.as_slice(), jwk["n"].as_str().expect("n").as_bytes(), jwk.to_string().as_bytes()] {
        let header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).expect("a token");
        issuer.refuses(&token, "wrong_algorithm").await;
    }
    // Another algorithm of the same key.
    let header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::RS512) };
    let token = encode(&header, &claims(), &issuer.key("rsa").2).expect("a token");
    issuer.refuses(&token, "wrong_algorithm").await;
    // Another key than it says, no such key, none, and one that the token brings along.
    let sign = |header: &Header, id: &str| encode(header, &claims(), &issuer.key(id).2).expect("a token");
    let other = ed25519(2);
    issuer.refuses(&encode(&issuer.header("ed"), &claims(), &other).expect("a token"), "bad_signature").await;
    for kid in [Some("RSA".to_owned()), Some("../rsa".into()), Some(String::new()), None] {
        issuer.refuses(&sign(&Header { kid, ..issuer.header("rsa") }, "rsa"), "unknown_token_key").await;
    }
    let own = Jwk::from_encoding_key(&other, Algorithm::EdDSA).expect("a JWK");
    let header = Header { jwk: Some(own), jku: Some("https://evil.example/".into()), ..issuer.header("ed") };
    issuer.refuses(&encode(&header, &claims(), &other).expect("a token"), "bad_signature").await;
    issuer.refuses(&sign(&Header { crit: Some(vec!["b64".into()]), ..issuer.header("ed") }, "ed"), "bad_token").await;
}

#[tokio::test]
async fn what_is_changed_cut_or_huge_is_refused() {
    let issuer = Issuer::new();
    let token = issuer.sign("ec", &claims());
    assert_eq!(issuer.ask(&token, PAYMENTS).await.status, 200, "and remembered");
    let parts: Vec<&str> = token.split('.').collect();
    let forged = BASE64.encode(with("sub", json!("admin")).to_string());
    issuer.refuses(&format!("{}.{forged}.{}", parts[0], parts[2]), "bad_signature").await;
    issuer.refuses(&format!("{}.{}.", parts[0], parts[1]), "bad_signature").await;
    for bad in ["a", "a.b", "a.b.c.d", &format!("{token}."), &format!(".{token}"), parts[0]] {
        issuer.refuses(bad, "bad_token").await;
    }
    issuer.refuses(&issuer.sign("ec", &with("more", json!("x".repeat(9_000)))), "bad_token").await;
}

#[tokio::test]
async fn a_key_that_is_withdrawn_opens_no_more_and_a_new_one_does() {
    let issuer = Issuer::new();
    let (old, new) = (issuer.sign("rsa", &claims()), issuer.sign("ed", &claims()));
    issuer.publish(&["rsa"]);
    issuer.guarded.world.access.refresh();
    assert_eq!(issuer.ask(&old, PAYMENTS).await.status, 200);
    issuer.refuses(&new, "unknown_token_key").await;
    // Of a set of one, a token need not say which.
    let bare = encode(&Header::new(Algorithm::RS256), &claims(), &issuer.key("rsa").2).expect("a token");
    assert_eq!(issuer.ask(&bare, PAYMENTS).await.status, 200);
    issuer.publish(&["ed"]);
    issuer.guarded.world.access.refresh();
    // Though it was found to be good before.
    issuer.refuses(&old, "unknown_token_key").await;
    assert_eq!(issuer.ask(&new, PAYMENTS).await.status, 200);
    fs::write(issuer.path(), "{").expect("written");
    issuer.guarded.world.access.refresh();
    assert_eq!(issuer.ask(&new, PAYMENTS).await.status, 200, "a broken set leaves the old one in force");
}

#[test]
fn a_set_without_use_or_with_doubt_is_refused_and_quotes_no_secret() {
    let issuer = Issuer::new();
    let change = |id: &str, field: &str, value: Value| {
        let mut jwk = issuer.jwk(id);
        jwk[field] = value;
        jwk
    };
    for (keys, reason) in [
        (vec![], "there is no key"),
        (vec![change("rsa", "use", json!("enc"))], "there is no key"),
        (vec![change("rsa", "key_ops", json!(["encrypt"]))], "there is no key"),
        (vec![change("rsa", "alg", json!("RS512"))], "there is no key"),
        (vec![change("oct", "alg", json!("RS256"))], "there is no key"),
        (vec![issuer.jwk("rsa"), change("ec", "kid", json!("rsa"))], "the same kid"),
        (vec![change("oct", "k", json!(BASE64.encode("short")))], "at least 32 bytes"),
        (vec![change("oct", "k", json!("not base64!"))], "cannot be read"),
    ] {
        issuer.publish_keys(&keys);
        let tokens = TokenRules { jwks: issuer.path(), audience: "gateway".into(), issuer: None };
        let rules = AccessRules { tokens: Some(tokens), ..AccessRules::default() };
        let error = Access::new(&rules, ([127, 0, 0, 1], 1).into(), ManualClock::new()).expect_err("no use");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains("short") && !error.to_string().contains("base64!"), "{error}");
    }
}
