//! Who listens.

use axum::{Router, routing::get};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};

use crate::{Fault, http, proxy::Proxy, ws};

/// Serves until the proxy is to stop.
pub(crate) async fn serve(listener: TcpListener, proxy: Proxy) {
    let routes = Router::new().route("/", get(ws::upgrade).post(http::post)).with_state(proxy.clone());
    loop {
        let accepted = tokio::select! {
            () = proxy.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        // An error is of one connection.
        let Ok((stream, _)) = accepted else { continue };
        if proxy.setting().fault == Fault::Refuse {
            reset(&stream);
        } else {
            tokio::spawn(connection(stream, routes.clone(), proxy.cut()));
        }
    }
}

/// Lets a connection end with a reset and not with an orderly end.
fn reset(stream: &TcpStream) {
    // If it is closed already, all is well.
    let _ = stream.set_zero_linger();
}

async fn connection(stream: TcpStream, routes: Router, cut: impl Future<Output = ()>) {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(routes);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        biased;
        () = cut => {}
        _ = connection => {}
    }
}
