//! HTTP/1.1 and HTTP/2 on one port, and the limits of heads.

use super::*;

async fn version(request: Request<Body>) -> String {
    format!("{:?}", request.version())
}

fn routes() -> Router {
    Router::new().fallback(version)
}

#[tokio::test]
async fn both_protocols_are_spoken_on_one_port() {
    let server = Running::start(routes(), Limits::default()).await;
    let (mut client, _task) = http1(server.connect().await).await;
    let response = client.send_request(get("/")).await.expect("an answer");
    assert_eq!(response.version(), Version::HTTP_11);
    assert_eq!(text(response).await, "HTTP/1.1");

    let (mut client, _task) = http2(server.connect().await).await;
    let response = client.send_request(get("http://x/")).await.expect("an answer");
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(text(response).await, "HTTP/2.0");
}

#[tokio::test]
async fn heads_have_limits_in_both() {
    let server = Running::start(routes(), Limits::default()).await;
    let many = |uri: &str, count: usize| {
        let mut request = get(uri);
        for n in 0..count {
            let name: axum::http::HeaderName = format!("x-{n}").parse().expect("a name");
            request.headers_mut().insert(name, "1".parse().expect("a value"));
        }
        request
    };
    let long = |uri: &str, length: usize| {
        let mut request = get(uri);
        request.headers_mut().insert("x-long", "x".repeat(length).parse().expect("a value"));
        request
    };
    let (mut client, _task) = http2(server.connect().await).await;
    assert_eq!(client.send_request(many("http://x/", 60)).await.expect("an answer").status(), 200);
    assert_eq!(client.send_request(many("http://x/", 64)).await.expect("an answer").status(), 431);
    assert_eq!(client.send_request(long("http://x/", 30_000)).await.expect("an answer").status(), 200);
    let refused = client.send_request(long("http://x/", 40_000)).await;
    assert!(refused.is_err() || refused.is_ok_and(|response| response.status() == 431));

    for (request, status) in
        [(many("/", 60), 200), (many("/", 64), 431), (long("/", 30_000), 200), (long("/", 40_000), 431)]
    {
        let (mut client, _task) = http1(server.connect().await).await;
        assert_eq!(client.send_request(request).await.expect("an answer").status(), status);
    }
}
