use proptest::{collection::vec, prelude::*};

use super::{
    parse::{MAX_DEPTH, MAX_PATTERNS, MAX_TERMS},
    *,
};

const ACCOUNT: &str = "0xabABabAbabaBababABABabABAbaBabaBABabABAb";

fn canonical(text: &str) -> String {
    parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}")).to_string()
}

#[test]
fn what_means_the_same_is_written_in_one_way() {
    let account = ACCOUNT.parse::<Address>().expect("an account").to_string();
    for (text, expected) in [
        ("zone==a", r#"zone == "a""#),
        (" zone\t==\r\n`a` ", r#"zone == "a""#),
        ("zone != eu.west_1/a", r#"zone != "eu.west_1/a""#),
        ("not zone == a", r#"zone != "a""#),
        ("not not zone == a", r#"not zone != "a""#),
        ("a in tags", r#"tags contains "a""#),
        ("a not in tags", r#"tags not contains "a""#),
        ("10 in meta.ports", r#"meta.ports contains "10""#),
        ("tags is empty", "tags is empty"),
        ("not tags is empty", "tags is not empty"),
        ("version matches `^2\\.`", r#"version matches "^2\\.""#),
        ("version not matches \"\\u0061\"", r#"version not matches "a""#),
        ("meta[\"a b\"].c[ `d` ].0 == -1.5", r#"meta["a b"].c.d.0 == "-1.5""#),
        ("meta.in == true or zone == `in`", r#"meta.in == "true" or zone == "in""#),
        ("(((zone == a)))", r#"zone == "a""#),
        ("zone==a or(zone==b or zone==c)", r#"zone == "a" or zone == "b" or zone == "c""#),
        ("zone==a and (zone==b and zone==c)", r#"zone == "a" and zone == "b" and zone == "c""#),
        ("zone==a or zone==b and zone==c", r#"zone == "a" or zone == "b" and zone == "c""#),
        (
            "(zone==a or zone==b)and not(zone==c or zone==d)",
            r#"(zone == "a" or zone == "b") and not (zone == "c" or zone == "d")"#,
        ),
        ("not (zone==a) and zone==b", r#"zone != "a" and zone == "b""#),
        (&format!("owner == `{}`", ACCOUNT.to_lowercase()), &format!("owner == \"{account}\"")),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
        assert_eq!(canonical(expected), expected);
    }
}

#[test]
fn a_fault_says_where_it_is_and_what_would_be_right() {
    for (text, column, reason) in [
        ("", 1, "there is the end; expected: a selector, a value, `not` or `(`"),
        ("   ", 4, "the end"),
        ("zone", 5, "expected: `==`"),
        ("zone = a", 6, r#"there is "="; expected: `==`, `!=`"#),
        ("zone == ", 9, "there is the end; expected: a value"),
        ("zone == eu-west", 11, r#"there is "-"; expected: `and`, `or` or the end"#),
        ("zone == a zone == b", 11, r#"there is "zone"; expected: `and`, `or`"#),
        ("zone == a and", 14, "the end"),
        ("zone == a && zone == b", 11, r#""&""#),
        ("zone == a) or zone == b", 10, r#"there is ")""#),
        ("(zone == a", 11, "expected: `and`, `or` or `)`"),
        ("zone is full", 9, "expected: `empty`, `not empty`"),
        ("zone is not full", 13, "expected: `empty`"),
        ("zone not a", 10, "expected: `in`, `contains` or `matches`"),
        ("zone not == a", 10, "`in`"),
        ("zone == and", 9, r#"there is "and"; expected: a value"#),
        ("Zone == a", 1, "there is no selector \"Zone\"; expected: label, version"),
        ("a in b", 6, "there is no selector \"b\""),
        ("a in `b`", 6, "this is a value; expected: a selector"),
        ("1 == 1", 1, "this is a value; expected: a selector"),
        ("zone.a == 1", 1, "nothing is within `zone`"),
        ("meta. == 1", 6, "a name after the dot"),
        ("meta.1a == 1", 6, "a name after the dot"),
        ("meta[a] == 1", 6, "expected: a name in quotes"),
        ("meta[`a` == 1", 10, "expected: `]`"),
        ("zone == meta[`a`]", 9, "must be in quotes"),
        ("zone == 10ms", 9, r#""10ms" is no number"#),
        ("zone == 1e999", 9, "is no number"),
        ("zone == 01", 9, "is no number"),
        ("zone == -", 9, "is no number"),
        ("zone == 'a'", 9, r#"there is "'"; expected: a value"#),
        ("zone == \"a", 9, "does not end"),
        ("zone == `a\nb`", 9, "control character"),
        (r#"zone == "\x""#, 9, "as in JSON"),
        (r#"zone == "\ud800""#, 9, "as in JSON"),
        ("zone == \"a\0\"", 9, "as in JSON"),
        ("\0", 1, r#""\0""#),
        ("münchen == 1", 2, r#"there is "ü""#),
        ("meta[`ü`] == ü", 14, "\"ü\"; expected: a value"),
        ("owner == `0x12`", 1, "`owner` takes `==` and `!=` with an account"),
        ("owner matches `0x`", 1, "with an account"),
        ("registrant is empty", 1, "with an account"),
        ("zone == a and tags == blue", 15, "`tags` takes `contains`, `in` and `is empty`"),
        ("endpoints matches `x`", 1, "it is a list"),
        ("zone matches `(`", 14, "the pattern cannot be used: unclosed group"),
        (r"zone matches `\1`", 14, "backreferences are not supported"),
        (r"zone matches `(\w{50}){50}`", 14, "size limit"),
        (r"zone matches `((((((((((((((((((a))))))))))))))))))`", 14, "nest"),
    ] {
        let fault = parse(text).expect_err(text);
        assert_eq!(fault.column, column, "{text}: {fault}");
        assert!(fault.reason.contains(reason), "{text}: {fault}");
    }
}

#[test]
fn the_examples_of_the_docs_are_expressions() {
    let docs = include_str!("../../../../docs/filters.md");
    let (examples, _) = docs.split_once("```bexpr\n").and_then(|(_, rest)| rest.split_once("```")).expect("examples");
    assert!(examples.lines().count() >= 9);
    for example in examples.lines() {
        reread(example).expect("the same tree");
        assert_eq!(parse(example).err(), None, "{example}");
    }
    let bounds = [MAX_TEXT, MAX_TERMS, MAX_PATTERNS, MAX_DEPTH];
    let said = "At most 1,024 bytes, 32 comparisons, 4 of them `matches`, 16 levels";
    assert!(bounds == [1_024, 32, 4, 16] && docs.contains(said));
    let fault = parse("zone = a").expect_err("a fault").to_string();
    assert!(docs.contains(&format!("parameter filter: {fault}")), "{fault}");
}

#[test]
fn everything_has_a_bound() {
    let deep = |depth| format!("{}zone == a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(canonical(&deep(MAX_DEPTH)), r#"zone == "a""#);
    assert_eq!(parse(&deep(MAX_DEPTH + 1)).expect_err("too deep").column, MAX_DEPTH + 1);
    assert!(parse(&format!("{}zone == a", "not ".repeat(MAX_DEPTH))).is_ok());
    assert!(parse(&format!("{}zone == a", "not ".repeat(MAX_DEPTH + 1))).is_err());
    assert!(parse(&"(".repeat(MAX_TEXT)).expect_err("too deep").reason.contains("deeper than 16"));

    let many = |terms: usize| vec!["zone==a"; terms].join(" or ");
    assert!(parse(&many(MAX_TERMS)).is_ok());
    assert!(parse(&many(MAX_TERMS + 1)).expect_err("too many").reason.contains("more than 32 comparisons"));
    let many = |patterns: usize| vec!["zone matches a"; patterns].join(" and ");
    assert!(parse(&many(MAX_PATTERNS)).is_ok());
    assert!(parse(&many(MAX_PATTERNS + 1)).expect_err("too many").reason.contains("more than 4 patterns"));

    let long = |bytes: usize| format!("zone == `{}`", "x".repeat(bytes - 10));
    assert!(parse(&long(MAX_TEXT)).is_ok());
    let fault = parse(&long(MAX_TEXT + 1)).expect_err("too long");
    assert_eq!((fault.column, fault.reason.as_str()), (1_025, "the expression has more than 1024 bytes"));
    // The bound is within a character of three bytes.
    assert_eq!(parse(&"\u{20ac}".repeat(400)).expect_err("too long").column, 342);
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof!["[a-z]{0,3}", "-?[1-9][0-9]{0,2}([.][0-9])?", any::<String>()].prop_map(|text| Literal::new(&text))
}

fn term() -> impl Strategy<Value = Expression> {
    let account = any::<[u8; 20]>().prop_map(|bytes| Literal::new(&Address::new(bytes).to_string()).into_account());
    let accounts = account.prop_map(|literal| Test::Equals(literal.expect("an account")));
    let lists = prop_oneof![literal().prop_map(Test::Contains), Just(Test::Empty)];
    let pattern =
        prop_oneof!["[a-z.^$]{0,4}", "[\"`\\\\]{0,3}x"].prop_filter_map("no pattern", |text| Pattern::new(&text).ok());
    let tests = prop_oneof![
        literal().prop_map(Test::Equals),
        literal().prop_map(Test::Contains),
        Just(Test::Empty),
        pattern.prop_map(Test::Matches),
    ];
    let part = prop_oneof!["[a-z]{1,3}", "[0-9]{1,2}", any::<String>()];
    (proptest::sample::select(&Field::ALL[..]), vec(part, 0..3), accounts, lists, tests).prop_map(
        |(field, path, accounts, lists, tests)| {
            let path = if field == Field::Meta { path } else { vec![] };
            let test = match field.holds() {
                Holds::Account => accounts,
                Holds::List => lists,
                Holds::Text | Holds::Anything => tests,
            };
            Expression::Term(Selector { field, path }, test)
        },
    )
}

fn tree() -> impl Strategy<Value = Expression> {
    term().prop_recursive(6, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Expression::negated),
            vec(inner.clone(), 1..4).prop_map(Expression::all),
            vec(inner, 1..4).prop_map(Expression::any),
        ]
    })
}

/// Whatever is read is printed so that it is read again as the same.
fn reread(text: &str) -> Result<(), TestCaseError> {
    if let Ok(tree) = parse(text) {
        let printed = tree.to_string();
        if printed.len() <= MAX_TEXT {
            prop_assert_eq!(parse(&printed), Ok(tree));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_tree_that_is_printed_and_read_is_the_same_tree(tree in tree()) {
        let text = tree.to_string();
        match parse(&text) {
            Ok(read) => prop_assert_eq!(read, tree, "{}", text),
            // The bounds are of the text, not of the tree.
            Err(fault) => prop_assert!(fault.reason.contains("more than"), "{}: {}", text, fault),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        reread(&text)?;
    }

    #[test]
    fn any_words_are_read_or_refused(
        words in vec(r#"zone|meta|tags|owner|==|!=|in|not|is|empty|contains|matches|and|or|[()\[\].`"]|[a-z0-9-]{1,2}|[ ü\\]"#, 0..20),
        between in "| |\t",
    ) {
        reread(&words.join(&between))?;
    }

    #[test]
    fn any_change_of_an_expression_is_read_or_refused(tree in tree(), at in any::<prop::sample::Index>(), with in ".{0,2}") {
        let mut text: Vec<char> = tree.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..=at, with.chars());
        reread(&text.into_iter().collect::<String>())?;
    }
}

/// What fuzzing found worth keeping: `fuzz/README.md` says how it comes there.
#[test]
fn the_corpus_of_the_fuzz_target_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/filter_expression");
    let mut seen = (0, 0);
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("a file that can be read");
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        reread(text).expect("the same tree");
        if parse(text).is_ok() { seen.0 += 1 } else { seen.1 += 1 }
    }
    assert!(seen.0 >= 5 && seen.1 >= 5, "the corpus has right and wrong ones: {seen:?}");
}
