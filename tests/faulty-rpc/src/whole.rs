//! Faults of whole messages: what is said before anyone looks at the requests in them.

use serde_json::{Value, json};

use crate::{
    Fault,
    message::{Answer, Message, error},
};

/// What is said to a message in place of the answers to its requests.
#[derive(Debug, PartialEq)]
pub(crate) enum Instead {
    /// Nothing, ever.
    Silence,
    /// This status; where there is none, this answer to each request.
    Status(u16, Answer),
    /// This text.
    Text(String),
}

/// What a fault says to a message; `turn` counts from 0 what takes turns.
pub(crate) fn instead(fault: Fault, message: &Message, turn: impl FnOnce() -> usize) -> Option<Instead> {
    match fault {
        // The connection is about to be closed.
        Fault::Refuse | Fault::Hang => Some(Instead::Silence),
        Fault::Status(429) => Some(Instead::Status(429, error(-32005, "limit exceeded"))),
        Fault::Status(status) => Some(Instead::Status(status, error(-32603, "internal error"))),
        Fault::Garbage if turn().is_multiple_of(2) => {
            Some(Instead::Text("<html><body><h1>It works!</h1></body></html>".to_owned()))
        }
        Fault::Garbage => Some(Instead::Text(misaddressed(message))),
        _ => None,
    }
}

/// Answers with ids that nobody asked with.
fn misaddressed(message: &Message) -> String {
    let answer = |id: &Value| {
        let id = match (id.as_u64(), id.as_str()) {
            (Some(number), _) => json!(number.wrapping_add(1_000_000)),
            (_, Some(text)) => json!(format!("{text}0")),
            _ => json!(1_000_000),
        };
        json!({ "jsonrpc": "2.0", "id": id, "result": "0x1" })
    };
    message.answered(message.requests.iter().map(|request| answer(&request.id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_no_json_and_then_for_somebody_else() {
        let message = Message::read(br#"[{"id":1,"method":"a"},{"id":"x","method":"b"}]"#);
        let text = |turn| match instead(Fault::Garbage, &message, || turn) {
            Some(Instead::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(serde_json::from_str::<Value>(&text(0)).is_err());
        let answers: Value = serde_json::from_str(&text(1)).unwrap();
        assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!(1_000_001), &json!("x0")));
        assert!(serde_json::from_str::<Value>(&text(2)).is_err());
    }

    #[test]
    fn other_faults_look_at_the_requests() {
        let message = Message::read(b"[]");
        assert_eq!(instead(Fault::None, &message, || 0), None);
        assert_eq!(instead(Fault::DropLog, &message, || 0), None);
        assert_eq!(instead(Fault::Hang, &message, || 0), Some(Instead::Silence));
    }
}
