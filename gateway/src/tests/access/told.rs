//! The audit log: who was refused and why, without any secret, and not without end.

use std::{
    io,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
};

use super::*;

/// Log lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// Keeps all that this thread logs, in every detail.
    fn keep() -> (Self, tracing::subscriber::DefaultGuard) {
        // With one subscriber alone, whichever thread comes to a line first decides for all whether it is of interest.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        // Spans for traces are not for logs.
        let targets = Targets::new().with_default(tracing::Level::TRACE).with_target("otel", LevelFilter::OFF);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(lines.clone()).finish().with(targets));
        (lines, guard)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("text")
    }

    fn audit(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.contains("rollcall::audit")).map(str::to_owned).collect()
    }
}

async fn ask(guarded: &Guarded, from: IpAddr, authorization: Option<&str>, path: &str) {
    let mut request = Request::get(path).extension(Peer { address: (from, 4711).into(), certificate: None });
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    guarded.world.send(request.body(Body::empty()).expect("a request")).await;
}

#[tokio::test]
async fn a_refused_request_is_told_without_what_was_sent() {
    let (lines, _guard) = Lines::keep();
    let guarded = Guarded::new();
    let key = guarded.key(NewKey { namespaces: labels(&["beta"]), ..NewKey::default() });
    let from = IpAddr::from([192, 0, 2, 7]);
    ask(&guarded, from, None, "/v1/namespaces/secret-path").await;
    ask(&guarded, from, Some(&format!("Bearer {}", key.expose())), PAYMENTS).await;
    ask(&guarded, from, Some(&format!("Bearer {}x", key.expose())), "/nowhere").await;
    ask(&guarded, from, Some(&format!("Bearer {}", key.expose())), "/v1/namespaces/beta").await;
    let told = lines.audit();
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, words) in told.iter().zip([
        ["identity=\"none\"", "reason=\"missing\"", "route=\"/v1/namespaces/{ns}\""],
        [&format!("identity=\"key:{}\"", key.id()), "reason=\"namespace\"", "/services/{name}/instances\""],
        ["identity=\"none\"", "reason=\"malformed\"", "route=\"none\""],
    ]) {
        for word in words.iter().chain(&["address=\"192.0.2.7\"", "method=\"GET\"", "WARN"]) {
            assert!(line.contains(word), "{word} in {line}");
        }
        assert!(!line.contains("secret-path"), "{line}");
    }
    assert!(!lines.text().contains(&key.expose()[17..49]), "no line has the key: {}", lines.text());
    assert!(!guarded.world.state.telemetry().render(&guarded.world.state).contains(&key.expose()[17..49]));
}

#[tokio::test]
async fn one_source_and_all_of_them_have_so_many_lines() {
    let (lines, _guard) = Lines::keep();
    let guarded = Guarded::new();
    for n in 0..100u128 {
        // One network of 64 bits is one source.
        let from = IpAddr::V6(std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + n));
        ask(&guarded, from, None, PAYMENTS).await;
    }
    assert_eq!(lines.audit().len(), 10);
    ask(&guarded, IpAddr::from([192, 0, 2, 7]), None, PAYMENTS).await;
    let told = lines.audit();
    assert_eq!(told.len(), 11);
    assert!(told[10].contains("left_out=90"), "{}", told[10]);
    for n in 0..200 {
        ask(&guarded, IpAddr::from([198, 51, 100, n]), None, PAYMENTS).await;
    }
    assert_eq!(lines.audit().len(), 50, "of all sources together");
    guarded.world.clock.advance(Duration::from_secs(10));
    ask(&guarded, IpAddr::from([192, 0, 2, 7]), None, PAYMENTS).await;
    assert!(lines.audit()[50].contains("left_out=161"), "{}", lines.audit()[50]);
    assert_eq!(guarded.refused("missing"), 302, "all are counted");
}

#[tokio::test]
async fn a_broken_file_is_told_once() {
    let (lines, _guard) = Lines::keep();
    let guarded = Guarded::new();
    fs::write(guarded.path(), "nonsense").expect("written");
    for _ in 0..3 {
        guarded.world.access.refresh();
    }
    assert_eq!(lines.text().matches("stays in force").count(), 1, "{}", lines.text());
    fs::write(guarded.path(), "# good\n").expect("written");
    guarded.world.access.refresh();
    assert_eq!(lines.text().matches("who may ask has changed").count(), 1);
}
