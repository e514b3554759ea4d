//! What a stranger may write into endpoints and metadata.

use alloy::primitives::Bytes;

/// One instance's worth of trouble.
pub struct Case {
    pub label: &'static str,
    pub endpoints: Vec<Bytes>,
    pub metadata: Bytes,
}

pub fn cases() -> Vec<Case> {
    let case = |label, endpoints: &[&[u8]], metadata: &[u8]| Case {
        label,
        endpoints: endpoints.iter().map(|e| Bytes::copy_from_slice(e)).collect(),
        metadata: Bytes::copy_from_slice(metadata),
    };
    vec![
        case("invalid-utf8", &[b"\xff\xfe\x80https://", b"\xc3\x28"], b"\xff\xff{\"a\":1}"),
        case("nul", &[b"https://a\0b", b"\0"], b"{\"zone\":\"a\\u0000b\",\"raw\":\"\0\"}"),
        case(
            "markup",
            &[b"https://x/<script>alert(1)</script>"],
            br#"{"tags":["<img src=x onerror=alert(1)>","'\"--"]}"#,
        ),
        case("header-injection", &[b"https://x\r\nSet-Cookie: a=b\r\n\r\n"], b"{\"zone\":\"a\\r\\nX-Evil: 1\"}"),
        case("terminal", &[b"\x1b[2J\x1b]0;owned\x07"], "{\"zone\":\"\u{202e}drowssap\u{1b}[31m\"}".as_bytes()),
        case("deep", &[b"https://deep.example"], "[".repeat(4_096).as_bytes()),
        case("long", &[[b'a'; 256].as_slice(); 16], &padded()),
        case(
            "numbers",
            &[b"https://numbers.example"],
            br#"{"weight":1e999,"priority":-0,"geo":{"lat":91e400},"a":123456789012345678901234567890}"#,
        ),
        case("twice", &[b"https://twice.example"], br#"{"zone":"a","zone":"b","tags":"not-a-list","region":[]}"#),
        case("empty", &[b" "], b""),
    ]
}

/// 4,096 bytes of valid JSON that is nothing but markup.
fn padded() -> Vec<u8> {
    const FRAME: usize = r#"{"note":""}"#.len();
    let note: String = "</script><b>".chars().cycle().take(4_096 - FRAME).collect();
    format!(r#"{{"note":"{note}"}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_within_the_contracts_limits() {
        for case in cases() {
            assert!((1..=16).contains(&case.endpoints.len()), "{}", case.label);
            assert!(case.endpoints.iter().all(|e| (1..=256).contains(&e.len())), "{}", case.label);
            assert!(case.metadata.len() <= 4_096, "{}", case.label);
        }
        assert_eq!(padded().len(), 4_096);
    }
}
