//! Requests over HTTP.

use std::future::pending;

use axum::{
    body::{Body, to_bytes},
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use crate::{message::Message, proxy::Proxy, whole::Instead};

/// Answers a body.
pub(crate) async fn post(State(proxy): State<Proxy>, body: Body) -> Response {
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let message = Message::read(&body);
    let text = match proxy.receive(&message) {
        (_, Some(Instead::Silence)) => pending().await,
        (_, Some(Instead::Status(status, _))) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, status.canonical_reason().unwrap_or_default()).into_response();
        }
        (_, Some(Instead::Text(text))) => text,
        (setting, None) => {
            let mut answers = Vec::with_capacity(message.requests.len());
            for request in &message.requests {
                answers.push(request.answered(proxy.answer(&setting, request).await));
            }
            message.answered(answers)
        }
    };
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
