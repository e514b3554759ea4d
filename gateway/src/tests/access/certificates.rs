//! Client certificates: the listener has verified their chain, the keys file says who they are.

use std::net::SocketAddr;

use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use sha2::{Digest, Sha256};

use super::*;

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Arc<[u8]> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = date_time_ymd(1970, 1, 2);
    params.not_after = date_time_ymd(1970, 1, 3);
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().as_ref().into()
}

async fn ask(guarded: &Guarded, certificate: Option<&Arc<[u8]>>, authorization: Option<&str>, path: &str) -> Answer {
    let address: SocketAddr = ([192, 0, 2, 7], 4711).into();
    let mut request = Request::get(path).extension(Peer { address, certificate: certificate.cloned() });
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    guarded.world.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_certificate_is_known_by_its_fingerprint_or_a_name_in_it() {
    let guarded = Guarded::new();
    guarded.world.clock.advance(Duration::from_secs(86_400 + 60));
    let plain = certificate(|_| {});
    let named = |name: &'static str| certificate(move |p| p.distinguished_name.push(DnType::CommonName, name));
    let san = |name: SanType| certificate(move |params| params.subject_alt_names.push(name));
    let uri = san(SanType::URI("spiffe://acme.example/mail".try_into().expect("a URI")));
    let dns = san(SanType::DnsName("Mail.acme.example".try_into().expect("a name")));
    let fingerprint: String = Sha256::digest(&plain).iter().map(|byte| format!("{byte:02X}:")).collect();
    let entry =
        |name: &str, sign: &str| format!("[[certificate]]\nname = \"{name}\"\n{sign}\nnamespaces = [\"beta\"]\n");
    let text = entry("plain", &format!("fingerprint = \"{}\"", fingerprint.trim_end_matches(':')))
        + &entry("uri", "uri = \"spiffe://acme.example/mail\"")
        + &entry("dns", "dns = \"mail.acme.example\"")
        + &entry("common", "common_name = \"mail\"");
    fs::write(guarded.path(), text).expect("written");
    guarded.world.access.refresh();
    let beta = "/v1/namespaces/beta";
    for known in [&plain, &uri, &dns, &named("mail")] {
        for _ in 0..2 {
            assert_eq!(ask(&guarded, Some(known), None, beta).await.status, 200);
        }
        ask(&guarded, Some(known), None, PAYMENTS).await.problem(403, "forbidden");
    }
    let twice = certificate(|params| {
        params.distinguished_name.push(DnType::CommonName, "mail");
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "other");
    });
    for stranger in [
        twice,
        certificate(|_| {}),
        named("mail, O=acme"),
        named("Mail"),
        // The name of another kind.
        named("mail.acme.example"),
        san(SanType::DnsName("mail".try_into().expect("a name"))),
        b"no certificate".as_slice().into(),
    ] {
        let answer = ask(&guarded, Some(&stranger), None, beta).await;
        assert!(answer.unauthorized().0.contains("certificate"), "{}", answer.body);
    }
    assert_eq!(guarded.refused("unknown_certificate"), 7);
    // A wrong key is not made good by a certificate.
    let wrong = format!("Bearer rck_{}_{}", "0".repeat(12), "0".repeat(64));
    ask(&guarded, Some(&plain), Some(&wrong), beta).await.unauthorized();
    ask(&guarded, None, None, beta).await.unauthorized();
    // The file no longer names it: it is a stranger at once.
    fs::write(guarded.path(), "").expect("written");
    guarded.world.access.refresh();
    ask(&guarded, Some(&plain), None, beta).await.unauthorized();
}

#[tokio::test]
async fn a_certificate_ends_while_its_connection_goes_on() {
    let guarded = Guarded::new();
    fs::write(guarded.path(), "[[certificate]]\nname = \"c\"\ncommon_name = \"c\"\n").expect("written");
    guarded.world.access.refresh();
    let certificate = certificate(|params| params.distinguished_name.push(DnType::CommonName, "c"));
    ask(&guarded, Some(&certificate), None, PAYMENTS).await.unauthorized();
    guarded.world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(ask(&guarded, Some(&certificate), None, "/v1/services").await.status, 200);
    guarded.world.clock.advance(Duration::from_secs(86_401));
    ask(&guarded, Some(&certificate), None, "/v1/services").await.unauthorized();
    assert_eq!((guarded.refused("not_yet_valid"), guarded.refused("expired")), (1, 1));
}
