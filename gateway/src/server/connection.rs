//! One connection: TLS, HTTP/1.1 and HTTP/2, and how long nothing may happen.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Certificates,
    requests::{Activity, Requests},
};
use crate::{AppState, config::Limits, front::Front, peer::Peer};

/// The largest head of a request, in bytes: URI and headers.
const MAX_HEAD: usize = 32 * 1024;

/// The most headers of a request.
pub(super) const MAX_HEADERS: usize = 64;

/// The most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// How much of a request's body HTTP/2 takes before a handler asks for it: as much as a body may have.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all requests of a connection.
const CONNECTION_WINDOW: u32 = 512 * 1024;

/// How much of each answer HTTP/2 copies ahead of what the client has room for.
const SEND_BUFFER: usize = 64 * 1024;

/// How often a silent HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// What a listener serves, and how.
#[derive(Debug)]
pub(super) struct Served {
    /// A label of metrics.
    pub(super) name: &'static str,
    pub(super) front: Front,
    pub(super) limits: Limits,
    pub(super) certificates: Option<Certificates>,
    pub(super) state: AppState,
    /// Cancelled when connections are to end.
    pub(super) stopping: CancellationToken,
}

/// Which protocol the client speaks.
#[derive(Debug, Clone, Copy)]
enum Protocol {
    /// It does not say: the first bytes tell.
    Any,
    Http1,
    Http2,
}

/// Serves a connection until its end, or until there is a reason to close it.
pub(super) async fn serve(served: &Served, stream: TcpStream, address: SocketAddr) {
    let telemetry = served.state.telemetry();
    // Under TLS, so that it bounds handshakes as well.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(served.limits.write_within));
    let stream = Box::pin(stream);
    telemetry.opened(served.name);
    match &served.certificates {
        None => speak(served, stream, Peer { address, certificate: None }, Protocol::Any).await,
        Some(certificates) => {
            let accept = TlsAcceptor::from(Arc::clone(&certificates.borrow())).accept(stream);
            let shaken = tokio::select! {
                shaken = timeout(served.limits.head_within, accept) => shaken,
                () = served.stopping.cancelled() => return telemetry.closed(served.name),
            };
            match shaken {
                Ok(Ok(stream)) => {
                    let (_, session) = stream.get_ref();
                    let protocol =
                        if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
                    let certificate = session.peer_certificates().and_then(|chain| chain.first());
                    let certificate = certificate.map(|certificate| Arc::from(certificate.as_ref()));
                    speak(served, stream, Peer { address, certificate }, protocol).await;
                }
                Ok(Err(error)) => {
                    telemetry.turned_away(served.name, "handshake");
                    tracing::debug!(%address, error = ?error.to_string(), "no handshake");
                }
                Err(_) => {
                    telemetry.turned_away(served.name, "handshake");
                    tracing::debug!(%address, "no handshake in time");
                }
            }
        }
    }
    telemetry.closed(served.name);
}

/// Speaks HTTP.
async fn speak(
    served: &Served,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    protocol: Protocol,
) {
    let limits = served.limits;
    let Peer { address, certificate } = &peer;
    let address = *address;
    tracing::debug!(%address, ?protocol, known = certificate.is_some(), "a connection");
    let activity = Arc::<Activity>::default();
    let requests = Requests::new(served.front.clone(), peer, Arc::clone(&activity));
    let builder = builder(&limits, protocol);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), requests));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = activity.idle(limits.head_within, limits.idle_within) => {
            connection.as_mut().graceful_shutdown();
            // What it does not read of the last answers is not kept for ever.
            timeout(limits.write_within, connection.as_mut()).await.ok()
        }
        () = served.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            if activity.is_new() { None } else { Some(connection.as_mut().await) }
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%address, error = ?error.to_string(), "a connection broke"),
        None => tracing::debug!(%address, "a connection was cut"),
    }
}

/// What hyper bounds by itself, and well, is left to it: resets (20 that no handler has seen, 1,024 in total), frames of
/// headers, sizes of frames.
fn builder(limits: &Limits, protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    match protocol {
        Protocol::Any => builder,
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
