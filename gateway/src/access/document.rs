//! What the contract of the API says of access.

use utoipa::openapi::{
    OpenApi,
    path::Operation,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use super::guard::is_open;
use crate::contract::{operations, problem};

const BEARER: &str = "bearer";
const CERTIFICATE: &str = "certificate";

/// Adds the ways to say who asks, and what those are answered who may not.
pub(crate) fn document(document: &mut OpenApi) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("An API key, `rck_…`, or a JWT. Not needed where everybody may read."));
    let certificate = SecurityScheme::MutualTls {
        description: Some("A client certificate that the gateway knows. Not needed where everybody may read.".into()),
        extensions: None,
        deprecated: None,
    };
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    components.add_security_scheme(CERTIFICATE, certificate);
    for (path, item) in document.paths.paths.iter_mut().filter(|(path, _)| !is_open(path)) {
        for (_, operation) in operations(item) {
            guard(operation, path);
        }
    }
}

/// Takes back that nobody has to say who asks, of a gateway that wants to know.
pub(crate) fn require(document: &mut OpenApi) {
    let nobody = SecurityRequirement::default();
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        operation.security.iter_mut().for_each(|ways| ways.retain(|way| *way != nobody));
    }
}

fn guard(operation: &mut Operation, path: &str) {
    let none: [&str; 0] = [];
    let any = [SecurityRequirement::default(), SecurityRequirement::new(BEARER, none)];
    operation.security = Some(any.into_iter().chain([SecurityRequirement::new(CERTIFICATE, none)]).collect());
    let mut add = |status: &str, words: &str| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(words));
    };
    add("401", "The gateway does not know who asks");
    add("429", "The client asks too often");
    // The others tell of no namespace.
    if path.starts_with("/v1/") && path != "/v1/discovery/health" {
        add("403", "Who asks may not read this");
    }
}
