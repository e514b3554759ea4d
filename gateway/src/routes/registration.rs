//! `POST /v1/discovery/registration`: the open discovery API

use std::time::Duration;

use api::{Problem, RegistrationAnswer, RegistrationStatus, SignedRegistration};
use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{InstanceId, Namespace, text};
use serde_json::Value;

use super::{
    discovery::{bad_body, clip_long, from_json, json_body},
    instances::Service,
};
use crate::{
    AppState,
    access::Reader,
    answer::json,
    error::{Error, Kind},
    params::{self, Params},
    relay::{RelayRefusal, Turned},
    timing::Timings,
};

/// Registers an instance
///
/// Takes what `rollcall register --sign-only` prints, and sends it to the contract at the cost of whoever runs the gateway.
/// It is tried before it is sent, so that what the contract refuses costs nothing. The answer does not wait for a block: 202
/// while the transaction is in none, and 200 once it is. Sent again, the same registration is not paid for again: the answer
/// tells how far it got. A gateway without a relayer answers 501.
#[utoipa::path(
    post,
    path = "/v1/discovery/registration",
    operation_id = "register",
    tag = "open discovery",
    request_body = SignedRegistration,
    responses(
        (
            status = 200, description = "The registration is in a block", body = RegistrationAnswer,
            headers(("location" = String, description = "The instance")),
        ),
        (
            status = 202, description = "The registration is on its way", body = RegistrationAnswer,
            headers(("location" = String, description = "The instance, once it is there")),
        ),
        (status = 400, description = "The body is not valid, or is for another chain or contract", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses it; `detail` says why", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "This gateway has no relayer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be sent now, or no more can be spent; try again after `Retry-After`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn register(
    State(state): State<AppState>,
    reader: Reader,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    Params::parse(query.as_deref(), &params::NONE)?;
    let Some(desk) = state.desk() else {
        let detail = "this gateway has no relayer: send it with `rollcall relay`, or to a gateway that has one";
        return Err(Error::new(Kind::NotImplemented, detail));
    };
    let signed = read(&json_body(&headers, body)?)?;
    let (namespace, id) = instance(&signed)?;
    reader.must_read(&namespace)?;
    let (chain_id, contract) = (signed.chain_id, signed.contract);
    let began = state.clock().monotonic();
    let handed_in = desk.hand_in(id, signed).await;
    let took = state.clock().monotonic().saturating_sub(began);
    state.telemetry().relayed(handed_in.as_ref().map_or_else(Turned::word, |_| "taken"));
    let answer = handed_in.map_err(|turned| problem(turned, chain_id, &contract.to_string()))?;

    let mut response = json(&answer);
    *response.status_mut() = match answer.status {
        RegistrationStatus::Pending => StatusCode::ACCEPTED,
        RegistrationStatus::Mined => StatusCode::OK,
    };
    if let Ok(location) = HeaderValue::try_from(format!("/v1/instances/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Timings::add(&mut response, "relay", took);
    Ok(response)
}

fn read(body: &[u8]) -> Result<SignedRegistration, Error> {
    let value: Value = serde_json::from_slice(body).map_err(bad_body)?;
    // serde also reads an object's fields from a list, one by one.
    if !value.is_object() {
        return Err(Error::new(Kind::BadBody, "there is something else where an object is expected"));
    }
    if value.get("message").is_some_and(Value::is_array) {
        return Err(Error::field("message", "there is a list where an object is expected"));
    }
    // Said in words, since all of these can be signed.
    if let Some(kind @ ("update" | "deregister" | "heartbeat")) = value.get("kind").and_then(Value::as_str) {
        let detail = format!("kind is {kind}: only register is taken here; `rollcall relay` sends the others");
        return Err(Error::new(Kind::BadBody, detail));
    }
    // Not from the value, which has forgotten that a field was there twice.
    from_json(body)
}

/// The instance that it is about, and whose namespace that is in.
fn instance(signed: &SignedRegistration) -> Result<(Namespace, InstanceId), Error> {
    let message = &signed.message;
    let service = Service::named("service", &message.service)?;
    text::check_name("label", &message.label)
        .map_err(|reason| Error::parameter("label", &message.label, "1 to 63 of a-z 0-9 . _ -", &reason.to_string()))?;
    text::check_version(&message.version).map_err(|reason| {
        let allowed = "1 to 63 of A-Z a-z 0-9 . _ + -";
        Error::parameter("version", &message.version, allowed, &reason.to_string())
    })?;
    let id = InstanceId::new(service.key(), message.registrant, &message.label);
    Ok((service.namespace, id))
}

fn problem(turned: Turned, chain_id: u64, contract: &str) -> Error {
    let refusal = match turned {
        Turned::Refused(refusal) => refusal,
        Turned::Exhausted(wait) => {
            let detail = "what this gateway may spend on registrations in an hour is spent: send it again later, or with \
                          `rollcall relay`";
            return Error::new(Kind::RelayExhausted, detail).retry_after(wait);
        }
    };
    match refusal {
        RelayRefusal::OtherChain { here } => {
            let reason = "it was signed for another chain";
            Error::parameter("chain_id", &chain_id.to_string(), &here.to_string(), reason)
        }
        RelayRefusal::OtherRegistry { here } => {
            Error::parameter("contract", contract, &here.to_string(), "it was signed for another registry")
        }
        RelayRefusal::Input(reason) => Error::new(Kind::BadBody, clip_long(&reason)),
        RelayRefusal::Refused(reason) => Error::new(Kind::RegistrationRefused, clip_long(&reason)),
        RelayRefusal::Unavailable(reason) => {
            Error::new(Kind::RelayUnavailable, clip_long(&reason)).retry_after(Duration::from_secs(5))
        }
    }
}
