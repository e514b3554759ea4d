//! Tree and instance → yes, no or unknown.

use domain::Address;
use serde_json::Value;

use super::{Expression, Field, Literal, Pattern, Selector, Test};
use crate::service::Instance;

/// What a selector finds in an instance.
#[derive(Clone, Copy)]
enum Found<'a> {
    /// Nobody knows: the metadata is no JSON object.
    Unknown,
    /// Known to be not there.
    Nothing,
    Text(&'a str),
    Account(Address),
    Endpoints(&'a [api::Endpoint]),
    Claim(&'a Value),
    Claims(&'a serde_json::Map<String, Value>),
}

impl Expression {
    /// Whether it holds; `None` if that hangs on what is unknown. What is unknown stays so when it is negated, so that
    /// metadata that is no JSON matches neither a condition nor its opposite.
    pub(crate) fn holds(&self, instance: &Instance) -> Option<bool> {
        match self {
            Self::Term(selector, test) => test.holds(selector.find(instance)),
            Self::Not(inner) => inner.holds(instance).map(|holds| !holds),
            Self::And(parts) => decided(parts, instance, false),
            Self::Or(parts) => decided(parts, instance, true),
        }
    }
}

/// One part that is `decisive` decides; else, one that is unknown makes all unknown.
fn decided(parts: &[Expression], instance: &Instance, decisive: bool) -> Option<bool> {
    let mut outcome = Some(!decisive);
    for part in parts {
        match part.holds(instance) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => outcome = None,
        }
    }
    outcome
}

impl Selector {
    fn find<'a>(&self, instance: &'a Instance) -> Found<'a> {
        let record = instance.body();
        let claim = |name| match instance.claims() {
            None => Found::Unknown,
            Some(claims) => claims.get(name).map_or(Found::Nothing, Found::Claim),
        };
        match self.field {
            Field::Label => Found::Text(&record.label),
            Field::Version => Found::Text(&record.version),
            Field::Status => Found::Text(instance.lease.status.as_str()),
            Field::Reason => record.reason.as_deref().map_or(Found::Nothing, Found::Text),
            Field::Owner => Found::Account(instance.lease.owner),
            Field::Registrant => Found::Account(record.registrant),
            Field::Endpoints => Found::Endpoints(&record.endpoints),
            Field::Zone | Field::Region | Field::Protocol => match claim(self.field.as_str()) {
                Found::Claim(Value::String(text)) => Found::Text(text),
                Found::Unknown => Found::Unknown,
                _ => Found::Nothing,
            },
            Field::Tags => match claim("tags") {
                tags @ (Found::Claim(Value::Array(_)) | Found::Unknown) => tags,
                _ => Found::Nothing,
            },
            Field::Meta => match (instance.claims(), self.path.split_first()) {
                (None, _) => Found::Unknown,
                (Some(claims), None) => Found::Claims(claims),
                (Some(claims), Some((name, rest))) => {
                    let found = claims.get(name).and_then(|value| within(value, rest));
                    found.map_or(Found::Nothing, Found::Claim)
                }
            },
        }
    }
}

/// The value that names lead to; a list has numbers for names.
fn within<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

impl Test {
    /// What is not there is empty, and equals, contains and matches nothing.
    fn holds(&self, found: Found<'_>) -> Option<bool> {
        if let Found::Unknown = found {
            return None;
        }
        Some(match self {
            Self::Equals(literal) => literal.equals(found),
            Self::Contains(literal) => literal.is_in(found),
            Self::Empty => is_empty(found),
            Self::Matches(pattern) => pattern.matches(found),
        })
    }
}

impl Literal {
    fn equals(&self, found: Found<'_>) -> bool {
        match found {
            Found::Text(text) => self.text == text,
            Found::Account(account) => self.account == Some(account),
            Found::Claim(value) => self.is_written_as(value),
            Found::Unknown | Found::Nothing | Found::Endpoints(_) | Found::Claims(_) => false,
        }
    }

    fn is_in(&self, found: Found<'_>) -> bool {
        match found {
            Found::Text(text) => text.contains(&self.text),
            Found::Endpoints(endpoints) => endpoints.iter().any(|endpoint| endpoint.uri() == Some(&self.text)),
            Found::Claim(Value::String(text)) => text.contains(&self.text),
            Found::Claim(Value::Array(items)) => items.iter().any(|item| self.is_written_as(item)),
            Found::Claim(Value::Object(fields)) | Found::Claims(fields) => fields.contains_key(&self.text),
            Found::Claim(Value::Null | Value::Bool(_) | Value::Number(_)) => false,
            Found::Unknown | Found::Nothing | Found::Account(_) => false,
        }
    }

    /// Whether a claim is this: a text as it is, a number by its value, a truth value by its name; nothing else ever.
    fn is_written_as(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.text,
            Value::Number(number) => self.number.as_ref().is_some_and(|wanted| {
                number == wanted || (number.is_f64() || wanted.is_f64()) && number.as_f64() == wanted.as_f64()
            }),
            Value::Bool(truth) => self.text == if *truth { "true" } else { "false" },
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

impl Pattern {
    fn matches(&self, found: Found<'_>) -> bool {
        match found {
            Found::Text(text) => self.0.is_match(text),
            Found::Claim(Value::String(text)) => self.0.is_match(text),
            Found::Unknown | Found::Nothing | Found::Account(_) => false,
            Found::Endpoints(_) | Found::Claim(_) | Found::Claims(_) => false,
        }
    }
}

/// Numbers, truth values and accounts are never empty.
fn is_empty(found: Found<'_>) -> bool {
    match found {
        Found::Nothing | Found::Claim(Value::Null) => true,
        Found::Text(text) => text.is_empty(),
        Found::Endpoints(endpoints) => endpoints.is_empty(),
        Found::Claim(Value::String(text)) => text.is_empty(),
        Found::Claim(Value::Array(items)) => items.is_empty(),
        Found::Claim(Value::Object(fields)) | Found::Claims(fields) => fields.is_empty(),
        Found::Claim(Value::Bool(_) | Value::Number(_)) | Found::Account(_) | Found::Unknown => false,
    }
}
