//! TLS: protocols, certificates that change, certificates of clients.

use std::{fs, path::PathBuf, sync::Arc};

use axum::Extension;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tempfile::TempDir;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    GatewayError,
    config::{ClientTls, Tls},
    peer::Peer,
};

/// A CA of the test's own.
struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Signed {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Signed { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    /// A client that believes this CA.
    fn client(&self, certificate: Option<&Signed>, protocols: &[&str]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a CA");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(signed) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.key.serialize_der()));
                builder.with_client_auth_cert(vec![signed.der.clone()], key).expect("a certificate")
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// The files of a server.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(signed: &Signed) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        files.replace(signed);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let beside = self.path("beside");
        fs::write(&beside, text).expect("a file");
        fs::rename(beside, self.path(name)).expect("a file");
    }

    fn replace(&self, signed: &Signed) {
        self.write("key.pem", &signed.key.serialize_pem());
        self.write("certificate.pem", &signed.pem);
    }

    fn tls(&self) -> Tls {
        let reload_every = Duration::from_millis(10);
        Tls { reload_every, ..Tls::new(self.path("certificate.pem"), self.path("key.pem")) }
    }

    fn with_clients(&self, authority: &Authority, required: bool) -> Tls {
        self.write("clients.pem", &authority.pem);
        Tls { clients: Some(ClientTls { authorities: self.path("clients.pem"), required }), ..self.tls() }
    }
}

async fn start(tls: Tls) -> Running {
    let whoami = async |Extension(peer): Extension<Peer>, request: Request<Body>| {
        format!("{:?} {:?} {:?}", request.version(), peer.address.ip(), peer.certificate)
    };
    let state = AppState::new(ManualClock::new());
    let watched = Watched::load(tls).expect("good files");
    let routes = Router::new().fallback(whoami);
    let server = Running::with(state.clone(), routes, Limits::default(), Some(&watched), PATIENCE).await;
    tokio::spawn(async move { watched.watch(&state).await });
    server
}

async fn shake(server: &Running, client: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    client.connect(ServerName::try_from("localhost").expect("a name"), server.connect().await).await
}

/// What a client is told about itself; none if it is turned away.
async fn ask(server: &Running, client: &TlsConnector) -> Option<String> {
    let stream = shake(server, client).await.ok()?;
    let (mut sender, _task) = http1(stream).await;
    Some(text(sender.send_request(get("/")).await.ok()?).await)
}

/// The certificate that the server shows.
async fn shown(server: &Running, client: &TlsConnector) -> CertificateDer<'static> {
    let stream = shake(server, client).await.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone().into_owned()
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.sign("localhost"));
    let server = start(files.tls()).await;
    for protocols in [&[][..], &["http/1.1"], &["http/1.1", "unheard-of"]] {
        let answer = ask(&server, &authority.client(None, protocols)).await;
        assert_eq!(answer.as_deref(), Some("HTTP/1.1 127.0.0.1 None"), "{protocols:?}");
    }
    let stream = shake(&server, &authority.client(None, &["h2", "http/1.1"])).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, _task) = http2(stream).await;
    let response = sender.send_request(get("https://localhost/")).await.expect("an answer");
    assert_eq!(text(response).await, "HTTP/2.0 127.0.0.1 None");

    // Who does not speak TLS is turned away.
    let (mut sender, _task) = http1(server.connect().await).await;
    assert!(sender.send_request(get("/")).await.is_err());
    eventually(async || server.metrics().contains("reason=\"handshake\"} 1")).await;
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_bad_one_is_not() {
    let authority = Authority::new("ours");
    let [first, second, third] = [(); 3].map(|()| authority.sign("localhost"));
    let files = Files::new(&first);
    let server = start(files.tls()).await;
    let client = authority.client(None, &["http/1.1"]);
    let (mut open, _task) = http1(shake(&server, &client).await.expect("a handshake")).await;
    assert_eq!(shown(&server, &client).await, first.der);

    files.replace(&second);
    eventually(async || shown(&server, &client).await == second.der).await;

    let refused = async || server.metrics().contains("rollcall_gateway_certificate_refused 1");
    let mended = async || server.metrics().contains("rollcall_gateway_certificate_refused 0");
    for (name, bad) in [
        ("certificate.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"),
        ("certificate.pem", ""),
        ("certificate.pem", &*first.pem), // the key is of another
        ("key.pem", "nonsense"),
    ] {
        files.write(name, bad);
        eventually(refused).await;
        assert_eq!(shown(&server, &client).await, second.der, "the old one stays");
        files.replace(&second);
        eventually(mended).await;
    }
    fs::remove_file(files.path("key.pem")).expect("a file");
    eventually(refused).await;
    assert_eq!(shown(&server, &client).await, second.der, "the old one stays");

    files.replace(&third);
    eventually(async || shown(&server, &client).await == third.der).await;
    assert!(mended().await);
    // Nobody was cut off.
    assert_eq!(open.send_request(get("/")).await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_client_must_show_a_certificate_where_one_is_required() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.sign("localhost"));
    let server = start(files.with_clients(&theirs, true)).await;
    let known = theirs.sign("consumer.example");
    let answer = ask(&server, &ours.client(Some(&known), &[])).await.expect("an answer");
    assert_eq!(answer, format!("HTTP/1.1 127.0.0.1 Some({:?})", known.der.as_ref()));
    assert_eq!(ask(&server, &ours.client(None, &[])).await, None, "it has none");
    assert_eq!(ask(&server, &ours.client(Some(&ours.sign("consumer.example")), &[])).await, None, "of another CA");
    eventually(async || server.metrics().contains("reason=\"handshake\"} 2")).await;

    // A CA that is taken from the file signs for nobody any more.
    let others = Authority::new("others");
    files.write("clients.pem", &others.pem);
    eventually(async || ask(&server, &ours.client(Some(&known), &[])).await.is_none()).await;
    assert!(ask(&server, &ours.client(Some(&others.sign("consumer.example")), &[])).await.is_some());
}

#[tokio::test]
async fn a_client_may_show_a_certificate_where_one_is_optional() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.sign("localhost"));
    let server = start(files.with_clients(&theirs, false)).await;
    let known = theirs.sign("consumer.example");
    let answer = ask(&server, &ours.client(Some(&known), &[])).await.expect("an answer");
    assert_eq!(answer, format!("HTTP/1.1 127.0.0.1 Some({:?})", known.der.as_ref()));
    assert_eq!(ask(&server, &ours.client(None, &[])).await.as_deref(), Some("HTTP/1.1 127.0.0.1 None"));
    assert_eq!(ask(&server, &ours.client(Some(&ours.sign("consumer.example")), &[])).await, None, "of another CA");
}

#[test]
fn files_that_cannot_be_used_are_named_and_not_shown() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.sign("localhost"));
    let secret = authority.sign("localhost").key.serialize_pem();
    let cases = [("certificate.pem", ""), ("key.pem", ""), ("clients.pem", ""), ("certificate.pem", &*secret)];
    for (name, text) in cases {
        let files = Files::new(&authority.sign("localhost"));
        let tls = files.with_clients(&authority, true);
        files.write(name, text);
        let error = Watched::load(tls).expect_err("nothing in it");
        assert!(matches!(&error, GatewayError::Tls { file, .. } if *file == files.path(name)), "{error}");
        assert!(secret.lines().filter(|line| line.len() > 20).all(|line| !error.to_string().contains(line)), "{error}");
    }
    let error = Watched::load(Tls::new(files.path("absent.pem"), files.path("key.pem"))).expect_err("no file");
    assert!(error.to_string().contains("absent.pem"), "{error}");
}
