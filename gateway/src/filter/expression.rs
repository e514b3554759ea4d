//! Filter expressions: the tree, and how it is written.
//!
//! A subset of the language of Consul (`bexpr`). What is written differently and means the same is one tree, and the tree
//! is written in one way: that is the key that answers are cached by.

use std::fmt;

use domain::Address;
use regex::{Regex, RegexBuilder};
use serde_json::Number;

mod evaluate;
mod parse;

#[cfg(test)]
mod tests;

pub(crate) use parse::{MAX_TEXT, parse};

/// What is asked of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// One comparison.
    Term(Selector, Test),
    Not(Box<Self>),
    /// Two or more, none of which is an `And`.
    And(Vec<Self>),
    /// Two or more, none of which is an `Or`.
    Or(Vec<Self>),
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) field: Field,
    /// Names within `meta`, from the outside to the inside.
    pub(crate) path: Vec<String>,
}

/// The first name of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Label,
    Version,
    Status,
    Reason,
    Owner,
    Registrant,
    Endpoints,
    Meta,
    Tags,
    Zone,
    Region,
    Protocol,
}

/// What a field can hold, and so which tests it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    Account,
    List,
    /// Any JSON.
    Anything,
}

/// What is asked of what a selector finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// `==`
    Equals(Literal),
    /// `contains`, or `in` the other way round: a part of a text, an item of a list, a name in an object.
    Contains(Literal),
    /// `is empty`
    Empty,
    /// `matches`
    Matches(Pattern),
}

/// A value as it is written; what is compared with it says whether it is read as a text or a number.
#[derive(Debug, Clone)]
pub(crate) struct Literal {
    text: String,
    number: Option<Number>,
    /// If it is compared with an account.
    account: Option<Address>,
}

/// A regular expression. It takes time that is linear in the text, whatever it is.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex);

impl Expression {
    /// `field == text`
    pub(crate) fn equals(field: Field, text: &str) -> Self {
        Self::Term(field.into(), Test::Equals(Literal::new(text)))
    }

    /// `tags contains tag`
    pub(crate) fn tagged(tag: &str) -> Self {
        Self::Term(Field::Tags.into(), Test::Contains(Literal::new(tag)))
    }

    /// `meta["name"] == text`
    pub(crate) fn claims(name: &str, text: &str) -> Self {
        let selector = Selector { field: Field::Meta, path: vec![name.to_owned()] };
        Self::Term(selector, Test::Equals(Literal::new(text)))
    }

    /// All hold. One part stands for itself.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(Self::into_conjuncts).collect();
        one_or(flat, Self::And)
    }

    /// At least one holds. One part stands for itself.
    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(parts) => parts,
            part => vec![part],
        });
        one_or(flat.collect(), Self::Or)
    }

    pub(crate) fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The parts that all must hold.
    pub(crate) fn into_conjuncts(self) -> Vec<Self> {
        match self {
            Self::And(parts) => parts,
            part => vec![part],
        }
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

impl From<Field> for Selector {
    fn from(field: Field) -> Self {
        Self { field, path: Vec::new() }
    }
}

impl Field {
    pub(crate) const ALL: [Self; 12] = [
        Self::Label,
        Self::Version,
        Self::Status,
        Self::Reason,
        Self::Owner,
        Self::Registrant,
        Self::Endpoints,
        Self::Meta,
        Self::Tags,
        Self::Zone,
        Self::Region,
        Self::Protocol,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Version => "version",
            Self::Status => "status",
            Self::Reason => "reason",
            Self::Owner => "owner",
            Self::Registrant => "registrant",
            Self::Endpoints => "endpoints",
            Self::Meta => "meta",
            Self::Tags => "tags",
            Self::Zone => "zone",
            Self::Region => "region",
            Self::Protocol => "protocol",
        }
    }

    pub(crate) fn holds(self) -> Holds {
        match self {
            Self::Label | Self::Version | Self::Status | Self::Reason | Self::Zone | Self::Region | Self::Protocol => {
                Holds::Text
            }
            Self::Owner | Self::Registrant => Holds::Account,
            Self::Endpoints | Self::Tags => Holds::List,
            Self::Meta => Holds::Anything,
        }
    }
}

impl Literal {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), number: text.parse().ok(), account: None }
    }

    /// Reads it as an account, which is the same in whatever case its digits are.
    fn into_account(self) -> Option<Self> {
        let account: Address = self.text.starts_with("0x").then_some(self.text)?.parse().ok()?;
        Some(Self { text: account.to_string(), number: None, account: Some(account) })
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.account == other.account
    }
}

impl Eq for Literal {}

impl Pattern {
    /// The most memory of a compiled pattern, and of what is remembered while it runs, in bytes.
    const MAX_SIZE: usize = 1 << 18;
    const MAX_NEST: u32 = 16;

    pub(crate) fn new(text: &str) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(Self::MAX_SIZE).dfa_size_limit(Self::MAX_SIZE).nest_limit(Self::MAX_NEST).build().map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(selector, test) => write_term(f, selector, test, false),
            Self::Not(inner) => match &**inner {
                Self::Term(selector, test) => write_term(f, selector, test, true),
                Self::Not(_) => write!(f, "not {inner}"),
                Self::And(_) | Self::Or(_) => write!(f, "not ({inner})"),
            },
            Self::And(parts) => write_list(f, parts, " and ", |part| matches!(part, Self::Or(_))),
            Self::Or(parts) => write_list(f, parts, " or ", |_| false),
        }
    }
}

fn write_list(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    between: &str,
    is_looser: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        f.write_str(if place == 0 { "" } else { between })?;
        if is_looser(part) { write!(f, "({part})") } else { write!(f, "{part}") }?;
    }
    Ok(())
}

fn write_term(f: &mut fmt::Formatter<'_>, selector: &Selector, test: &Test, negated: bool) -> fmt::Result {
    let not = if negated { "not " } else { "" };
    match test {
        Test::Equals(literal) => write!(f, "{selector} {} {literal}", if negated { "!=" } else { "==" }),
        Test::Contains(literal) => write!(f, "{selector} {not}contains {literal}"),
        Test::Empty => write!(f, "{selector} is {not}empty"),
        Test::Matches(pattern) => write!(f, "{selector} {not}matches {pattern}"),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.as_str())?;
        for part in &self.path {
            if parse::is_plain_name(part) {
                write!(f, ".{part}")?;
            } else {
                write!(f, "[{}]", Quoted(part))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(&self.text).fmt(f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(self.0.as_str()).fmt(f)
    }
}

/// A text in quotes, as JSON writes it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::Value::from(self.0).fmt(f)
    }
}
