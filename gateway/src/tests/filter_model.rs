//! Filter expressions against a naive model, which looks only at what the gateway answers.

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, json};

use super::{
    filter::{PATH, query},
    *,
};

/// An expression, as the model has it.
#[derive(Debug, Clone)]
enum Asked {
    /// A selector as it is written, and where that is in an answer.
    Equals(&'static str, &'static str, String),
    Contains(&'static str, &'static str, String),
    Empty(&'static str, &'static str),
    Not(Box<Asked>),
    Both(Box<Asked>, Box<Asked>),
    Either(Box<Asked>, Box<Asked>),
}

use Asked::{Both, Contains, Either, Empty, Equals, Not};

const NO: u8 = 0;
const UNKNOWN: u8 = 1;
const YES: u8 = 2;

/// Selectors and where they point.
const ANYTHING: [(&str, &str); 5] = [
    ("meta.a", "/metadata/a"),
    ("meta.a.b", "/metadata/a/b"),
    ("meta[`a`][\"c d\"]", "/metadata/a/c d"),
    ("meta.a.0", "/metadata/a/0"),
    ("meta", "/metadata"),
];
const TEXTS: [(&str, &str); 4] =
    [("label", "/label"), ("version", "/version"), ("zone", "/metadata/zone"), ("region", "/metadata/region")];

impl Asked {
    /// As a request writes it, with more parentheses than it needs.
    fn text(&self) -> String {
        match self {
            Equals(selector, _, value) => format!("{selector} == {}", json!(value)),
            Contains(selector, _, value) => format!("{} in {selector}", json!(value)),
            Empty(selector, _) => format!("{selector} is empty"),
            Not(one) => format!("not ({})", one.text()),
            Both(one, other) => format!("({}) and ({})", one.text(), other.text()),
            Either(one, other) => format!("({}) or ({})", one.text(), other.text()),
        }
    }

    /// What the answer says to it: the least of `and`, the greatest of `or`, the mirror of `not`.
    fn outcome(&self, instance: &Value) -> u8 {
        let ask = |at: &str, test: &dyn Fn(Option<&Value>) -> bool| {
            if at.starts_with("/metadata") && instance.get("metadata").is_none() {
                return UNKNOWN;
            }
            let found = instance
                .pointer(at)
                .filter(|found| !at.ends_with("zone") && !at.ends_with("region") || found.is_string());
            if test(found) { YES } else { NO }
        };
        match self {
            Equals(_, at, value) => ask(at, &|found| found.is_some_and(|found| same(found, value))),
            Contains(_, at, value) => ask(at, &|found| match found {
                Some(Value::String(text)) => text.contains(value.as_str()),
                Some(Value::Array(items)) => items.iter().any(|item| same(item, value)),
                Some(Value::Object(fields)) => fields.keys().any(|name| name == value),
                _ => false,
            }),
            Empty(_, at) => ask(at, &|found| match found {
                None => true,
                Some(found) => [json!(null), json!(""), json!([]), json!({})].contains(found),
            }),
            Not(one) => YES - one.outcome(instance),
            Both(one, other) => one.outcome(instance).min(other.outcome(instance)),
            Either(one, other) => one.outcome(instance).max(other.outcome(instance)),
        }
    }
}

fn same(found: &Value, value: &str) -> bool {
    match found {
        Value::String(text) => text == value,
        Value::Number(number) => value.parse::<f64>().is_ok_and(|wanted| number.as_f64() == Some(wanted)),
        Value::Bool(truth) => truth.to_string() == value,
        _ => false,
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let value =
        || select(vec!["", "a", "b", "ab", "c d", "1", "1.0", "-2.5", "true", "a1", "1.0.0"]).prop_map(str::to_owned);
    let at = || select([&ANYTHING[..], &TEXTS[..]].concat());
    let term = prop_oneof![
        (at(), value()).prop_map(|((selector, at), value)| Equals(selector, at, value)),
        (at(), value()).prop_map(|((selector, at), value)| Contains(selector, at, value)),
        at().prop_map(|(selector, at)| Empty(selector, at)),
    ];
    term.prop_recursive(4, 10, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Not(one.into())),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| Both(one.into(), other.into())),
            (inner.clone(), inner).prop_map(|(one, other)| Either(one.into(), other.into())),
        ]
    })
}

fn claim() -> impl Strategy<Value = Value> {
    let plain = select(vec![
        json!(null),
        json!(true),
        json!(1),
        json!(1.0),
        json!(-2.5),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("1"),
    ]);
    plain.prop_recursive(3, 8, 3, |inner| {
        let name = select(vec!["a", "b", "c d", "0"]).prop_map(str::to_owned);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((name, inner), 0..3).prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn claims() -> impl Strategy<Value = Bytes> {
    let object = (claim(), claim(), any::<[bool; 3]>()).prop_map(|(a, zone, has)| {
        let fields = [("a", a), ("zone", zone), ("region", json!("a"))];
        let fields =
            fields.into_iter().zip(has).filter(|(_, has)| *has).map(|((name, value), _)| (name.to_owned(), value));
        Value::from(fields.collect::<Map<_, _>>()).to_string()
    });
    prop_oneof![4 => object, 1 => Just(String::new()), 1 => Just("opaque".to_owned())]
        .prop_map(|text| Bytes::from(text.into_bytes()))
}

#[test]
fn an_expression_chooses_those_that_the_model_chooses() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (some, none) = (Cell::new(0), Cell::new(0));
    TestRunner::new(Config::with_cases(64))
        .run(&(vec(claims(), 1..6), vec(asked(), 1..6)), |(claims, expressions)| {
            let mut world = World::new();
            for (place, metadata) in claims.into_iter().enumerate() {
                world.add(acme(), "payments", &format!("a{place}"), |row| row.metadata = metadata);
            }
            world.load();
            let all = runtime.block_on(world.get(PATH)).body["instances"].take();
            for asked in expressions {
                let model: Vec<&Value> =
                    all.as_array().expect("a list").iter().filter(|one| asked.outcome(one) == YES).collect();
                let answer = runtime.block_on(world.get(&format!("{PATH}{}", query(&[("filter", &asked.text())]))));
                prop_assert_eq!(answer.status, 200, "{}: {}", asked.text(), answer.body);
                let answered: Vec<&Value> = answer.body["instances"].as_array().expect("a list").iter().collect();
                prop_assert_eq!(&answered, &model, "{}", asked.text());
                let seen = if model.is_empty() { &none } else { &some };
                seen.set(seen.get() + 1);
            }
            Ok(())
        })
        .expect("the same");
    assert!(some.get() > 20 && none.get() > 20, "both outcomes are tested: {some:?}, {none:?}");
}
