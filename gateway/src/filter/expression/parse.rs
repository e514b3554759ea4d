//! Text → tree, with bounds on everything, because the text is a stranger's.

use std::fmt;

use domain::text::clip;
use winnow::{
    LocatingSlice, Parser,
    combinator::{alt, delimited, opt, repeat, terminated},
    error::ParserError,
    stream::{Location, Stateful},
    token::{any, none_of, take_while},
};

use super::{Expression, Field, Holds, Literal, Pattern, Selector, Test};

/// The longest expression, in bytes.
pub(crate) const MAX_TEXT: usize = 1_024;
/// How deep `not` and parentheses may be within each other.
pub(crate) const MAX_DEPTH: usize = 16;
/// The most comparisons.
pub(crate) const MAX_TERMS: usize = 32;
/// The most `matches` among them, which take more time than the others.
pub(crate) const MAX_PATTERNS: usize = 4;

/// Words that are no selector and no value, unless they are in quotes.
const RESERVED: [&str; 7] = ["and", "or", "not", "in", "is", "contains", "matches"];

/// Why a text is no expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The character at which it is wrong, from 1.
    pub(crate) column: usize,
    /// What is wrong there, and what would be right.
    pub(crate) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)
    }
}

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expression, Fault> {
    let read = if text.len() > MAX_TEXT {
        let reason = format!("the expression has more than {MAX_TEXT} bytes");
        Err(Wrong::because(text.floor_char_boundary(MAX_TEXT), reason))
    } else {
        whole(&mut Input { input: LocatingSlice::new(text), state: Spent::default() })
    };
    read.map_err(|Wrong { at, reason }| {
        let (before, rest) = text.split_at(at);
        let reason = match reason {
            Reason::Instead(wanted) => format!("there is {}; expected: {wanted}", first_word(rest)),
            Reason::Because(reason) => reason,
        };
        Fault { column: before.chars().count() + 1, reason }
    })
}

/// Whether a name can stand after a dot.
pub(super) fn is_plain_name(name: &str) -> bool {
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    digits || name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_in_name)
}

/// What is left of the text. Every parser leaves it where the next token begins.
type Input<'a> = Stateful<LocatingSlice<&'a str>, Spent>;
type Parsed<T> = Result<T, Wrong>;

/// What has been used of the bounds.
#[derive(Debug, Default)]
struct Spent {
    depth: usize,
    terms: usize,
    patterns: usize,
}

#[derive(Debug)]
struct Wrong {
    /// The byte at which it is wrong.
    at: usize,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// Something else than this is there.
    Instead(&'static str),
    Because(String),
}

impl Wrong {
    fn instead(input: &Input<'_>, wanted: &'static str) -> Self {
        Self { at: input.current_token_start(), reason: Reason::Instead(wanted) }
    }

    fn because(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: Reason::Because(reason.into()) }
    }
}

impl<'a> ParserError<Input<'a>> for Wrong {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        Self::instead(input, "something else")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The first word or sign of a text, in words.
fn first_word(text: &str) -> String {
    let word = text.find(|c| !is_in_name(c)).unwrap_or(text.len());
    let sign = text.chars().next().map_or(0, char::len_utf8);
    match &text[..word.max(sign)] {
        "" => "the end".to_owned(),
        word => format!("{:?}", clip(word)),
    }
}

fn whole(input: &mut Input<'_>) -> Parsed<Expression> {
    spaces(input)?;
    let expression = any_of(input)?;
    if input.input.is_empty() { Ok(expression) } else { Err(Wrong::instead(input, "`and`, `or` or the end")) }
}

fn any_of(input: &mut Input<'_>) -> Parsed<Expression> {
    let mut parts = vec![all_of(input)?];
    while keyword("or", input)? {
        parts.push(all_of(input)?);
    }
    Ok(Expression::any(parts))
}

fn all_of(input: &mut Input<'_>) -> Parsed<Expression> {
    let mut parts = vec![one(input)?];
    while keyword("and", input)? {
        parts.push(one(input)?);
    }
    Ok(Expression::all(parts))
}

fn one(input: &mut Input<'_>) -> Parsed<Expression> {
    let at = input.current_token_start();
    let not = keyword("not", input)?;
    if !not && !sign("(", input)? {
        return term(input);
    }
    if input.state.depth == MAX_DEPTH {
        return Err(Wrong::because(at, format!("`not` and parentheses are deeper than {MAX_DEPTH}")));
    }
    input.state.depth += 1;
    let inner = if not { one(input)?.negated() } else { any_of(input)? };
    if !not && !sign(")", input)? {
        return Err(Wrong::instead(input, "`and`, `or` or `)`"));
    }
    input.state.depth -= 1;
    Ok(inner)
}

fn term(input: &mut Input<'_>) -> Parsed<Expression> {
    let at = input.current_token_start();
    if input.state.terms == MAX_TERMS {
        return Err(Wrong::because(at, format!("there are more than {MAX_TERMS} comparisons")));
    }
    input.state.terms += 1;
    let left = operand(input, "a selector, a value, `not` or `(`")?;
    let (operator, negated) = operator(input)?;
    let (selector, test) = match operator {
        Operator::In => {
            let literal = Literal::new(&left.into_value()?);
            (operand(input, "a selector")?.into_selector()?, Test::Contains(literal))
        }
        Operator::Empty => (left.into_selector()?, Test::Empty),
        Operator::Equals => (left.into_selector()?, Test::Equals(Literal::new(&value(input)?))),
        Operator::Contains => (left.into_selector()?, Test::Contains(Literal::new(&value(input)?))),
        Operator::Matches => (left.into_selector()?, Test::Matches(pattern(input)?)),
    };
    let test = fitted(&selector, test).map_err(|reason| Wrong::because(at, reason))?;
    let term = Expression::Term(selector, test);
    Ok(if negated { term.negated() } else { term })
}

/// The test, if it can be made of what the selector finds.
fn fitted(selector: &Selector, test: Test) -> Result<Test, String> {
    let takes = match (selector.field.holds(), test) {
        (Holds::Account, test) => {
            let account = if let Test::Equals(literal) = test { literal.into_account() } else { None };
            match account {
                Some(literal) => return Ok(Test::Equals(literal)),
                None => "`==` and `!=` with an account (0x and 40 hexadecimal digits)",
            }
        }
        (Holds::List, Test::Equals(_) | Test::Matches(_)) => "`contains`, `in` and `is empty`: it is a list",
        (Holds::List | Holds::Text | Holds::Anything, test) => return Ok(test),
    };
    Err(format!("`{}` takes {takes}", selector.field.as_str()))
}

enum Operator {
    Equals,
    Contains,
    In,
    Empty,
    Matches,
}

/// An operator, and whether it is negated.
fn operator(input: &mut Input<'_>) -> Parsed<(Operator, bool)> {
    if sign("==", input)? {
        return Ok((Operator::Equals, false));
    }
    if sign("!=", input)? {
        return Ok((Operator::Equals, true));
    }
    if keyword("is", input)? {
        let negated = keyword("not", input)?;
        let is_empty = keyword("empty", input)?;
        return if is_empty {
            Ok((Operator::Empty, negated))
        } else {
            Err(Wrong::instead(input, "`empty`, `not empty`"))
        };
    }
    let negated = keyword("not", input)?;
    for (word, operator) in [("in", Operator::In), ("contains", Operator::Contains), ("matches", Operator::Matches)] {
        if keyword(word, input)? {
            return Ok((operator, negated));
        }
    }
    let wanted = if negated {
        "`in`, `contains` or `matches`"
    } else {
        "`==`, `!=`, `is`, `in`, `contains`, `matches` or `not`"
    };
    Err(Wrong::instead(input, wanted))
}

/// What stands on one side of an operator, and where.
struct Operand {
    at: usize,
    what: What,
}

enum What {
    /// A text in quotes, or a number.
    Value(String),
    /// A name and the names within it. As a value it is itself, unless it has brackets.
    Names { path: Vec<String>, brackets: bool },
}

impl Operand {
    fn into_value(self) -> Parsed<String> {
        match self.what {
            What::Value(text) => Ok(text),
            What::Names { path, brackets: false } => Ok(path.join(".")),
            What::Names { brackets: true, .. } => {
                Err(Wrong::because(self.at, "a value with brackets must be in quotes"))
            }
        }
    }

    fn into_selector(self) -> Parsed<Selector> {
        let What::Names { mut path, .. } = self.what else {
            return Err(Wrong::because(self.at, "this is a value; expected: a selector"));
        };
        let name = path.remove(0);
        let Some(field) = Field::ALL.into_iter().find(|field| field.as_str() == name) else {
            let known = Field::ALL.map(Field::as_str).join(", ");
            let reason = format!("there is no selector {:?}; expected: {known}, or meta.<name>", clip(&name));
            return Err(Wrong::because(self.at, reason));
        };
        if !path.is_empty() && field != Field::Meta {
            return Err(Wrong::because(self.at, format!("nothing is within `{name}`; only `meta` has names in it")));
        }
        Ok(Selector { field, path })
    }
}

fn value(input: &mut Input<'_>) -> Parsed<String> {
    operand(input, "a value")?.into_value()
}

fn pattern(input: &mut Input<'_>) -> Parsed<Pattern> {
    let at = input.current_token_start();
    let text = value(input)?;
    if input.state.patterns == MAX_PATTERNS {
        return Err(Wrong::because(at, format!("there are more than {MAX_PATTERNS} patterns")));
    }
    input.state.patterns += 1;
    Pattern::new(&text).map_err(|error| {
        // The last line says why; those before show where, by lines of their own.
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Wrong::because(at, format!("the pattern cannot be used: {}", clip(why)))
    })
}

fn operand(input: &mut Input<'_>, wanted: &'static str) -> Parsed<Operand> {
    let at = input.current_token_start();
    let what = match input.input.chars().next() {
        Some('"' | '`') => What::Value(quoted(input)?),
        Some('-' | '0'..='9') => What::Value(number(input)?),
        Some(c) if c.is_ascii_alphabetic() => names(input, wanted)?,
        _ => return Err(Wrong::instead(input, wanted)),
    };
    spaces(input)?;
    Ok(Operand { at, what })
}

fn names(input: &mut Input<'_>, wanted: &'static str) -> Parsed<What> {
    let at = input.current_token_start();
    let first = name(input)?;
    if RESERVED.contains(&first) {
        return Err(Wrong { at, reason: Reason::Instead(wanted) });
    }
    let (mut path, mut brackets) = (vec![first.to_owned()], false);
    loop {
        if opt('.').parse_next(input)?.is_some() {
            let at = input.current_token_start();
            let part = name(input).ok().filter(|name| is_plain_name(name));
            let part = part.ok_or(Wrong { at, reason: Reason::Instead("a name after the dot, or [\"a name\"]") })?;
            path.push(part.to_owned());
        } else if sign("[", input)? {
            if !input.input.starts_with(['"', '`']) {
                return Err(Wrong::instead(input, "a name in quotes"));
            }
            path.push(quoted(input)?);
            spaces(input)?;
            if opt(']').parse_next(input)?.is_none() {
                return Err(Wrong::instead(input, "`]`"));
            }
            brackets = true;
        } else {
            return Ok(What::Names { path, brackets });
        }
    }
}

/// `"…"` as in JSON, or `` `…` `` as it is.
fn quoted(input: &mut Input<'_>) -> Parsed<String> {
    let at = input.current_token_start();
    let raw = delimited('`', take_while(0.., |c: char| c != '`' && c >= ' '), '`').map(str::to_owned).map(Ok);
    let piece = alt((none_of(['"', '\\']).void(), ('\\', any).void()));
    let json = ('"', repeat::<_, _, (), _, _>(0.., piece), '"').take().map(serde_json::from_str);
    let read: Parsed<serde_json::Result<String>> = alt((raw, json)).parse_next(input);
    match read {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => Err(Wrong::because(at, "a text in quotes is written as in JSON: \\\" \\\\ \\n \\u0000")),
        Err(_) => Err(Wrong::because(at, "a text in quotes does not end, or has a control character")),
    }
}

fn number(input: &mut Input<'_>) -> Parsed<String> {
    let at = input.current_token_start();
    let text = take_while(1.., |c| is_in_name(c) || matches!(c, '.' | '-' | '+')).parse_next(input);
    let text: &str = text.map_err(|wrong: Wrong| wrong)?;
    match text.parse::<serde_json::Number>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Wrong::because(at, format!("{:?} is no number; a text must be in quotes", clip(text)))),
    }
}

/// This sign, if it is next.
fn sign(sign: &'static str, input: &mut Input<'_>) -> Parsed<bool> {
    opt(terminated(sign, spaces)).parse_next(input).map(|found| found.is_some())
}

/// This word, if it is next.
fn keyword(word: &'static str, input: &mut Input<'_>) -> Parsed<bool> {
    opt(terminated(name.verify(|name: &str| name == word), spaces)).parse_next(input).map(|found| found.is_some())
}

fn name<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    take_while(1.., is_in_name).parse_next(input)
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '/')
}

fn spaces(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., [' ', '\t', '\r', '\n']).void().parse_next(input)
}
