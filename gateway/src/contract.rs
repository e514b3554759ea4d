//! What the contract of the API says of all its operations, so that no route has to.

use axum::http::{HeaderName, header};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, HttpMethod, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema, Type,
    path::{Operation, ParameterBuilder, ParameterIn, PathItem},
};

use crate::{access, answer, timing};

/// What says how something is just now, or goes on for ever, has no tag.
const UNTAGGED: [&str; 4] = ["/livez", "/readyz", "/v1/discovery/health", "/v1/watch"];

/// Adds the headers that every request may have, the ways to say who asks, and what comes of them.
pub(crate) fn document(document: &mut OpenApi) {
    access::document(document);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let wrong = "A parameter, or the header X-Server-Timing, is not valid";
            operation.responses.responses.entry("400".to_owned()).or_insert_with(|| problem(wrong));
            let choices = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["0", "1"]));
            let asks = "1: be told in `Server-Timing` how long the answer took";
            add(operation, request_header(&timing::ASK, asks, choices));
            if path.starts_with("/v1/") && path != "/v1/discovery/registration" {
                registry_headers(operation);
            }
            if method == HttpMethod::Get && !UNTAGGED.contains(&path.as_str()) {
                tagged(operation);
            }
        }
    }
}

/// A problem as an answer.
pub(crate) fn problem(words: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    RefOr::T(ResponseBuilder::new().description(words).content("application/problem+json", content).build())
}

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let changing = [
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    [(HttpMethod::Get, &mut item.get)]
        .into_iter()
        .chain(changing)
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What an answer is true at.
fn registry_headers(operation: &mut Operation) {
    for (name, words) in [
        (answer::BLOCK, "The height of the head of the index, or of the block that was asked for"),
        (answer::HEAD_AGE, "For how many seconds nobody has confirmed that this is the head of the chain"),
        (answer::NOW, "The chain time that leases were compared with, in seconds since 1970"),
    ] {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        response_header(operation, &name, words, number);
    }
    let modes = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["normal", "preserved", "stale"]));
    response_header(operation, &answer::MODE, "How far this can be trusted to be up to date", modes);
}

/// What a cache goes by.
fn tagged(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    response_header(operation, &header::ETAG, "The tag of these bytes", text());
    response_header(operation, &header::CACHE_CONTROL, "For how long to keep it", text());
    let tags = request_header(&header::IF_NONE_MATCH, "Tags of answers that the client has", text());
    add(operation, tags.example(Some("\"0123456789abcdef\"".into())));
    let words = "The client has this answer";
    let known = ResponseBuilder::new().description(words).build();
    operation.responses.responses.insert("304".to_owned(), RefOr::T(known));
}

fn add(operation: &mut Operation, parameter: ParameterBuilder) {
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
}

fn request_header(name: &HeaderName, words: &str, schema: impl Into<Schema>) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(canonical(name)).parameter_in(ParameterIn::Header);
    parameter.required(Required::False).description(Some(words)).schema(Some(schema.into()))
}

fn response_header(operation: &mut Operation, name: &HeaderName, words: &str, schema: impl Into<Schema>) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        let header = HeaderBuilder::new().schema(Some(schema.into())).description(Some(words)).build();
        response.headers.insert(canonical(name), RefOr::T(header));
    }
}

/// A name with capitals, as people write it.
fn canonical(name: &HeaderName) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.as_str().split('-').map(capital).collect::<Vec<_>>().join("-")
}
