//! JSON-RPC messages as values.

use serde_json::{Value, json};

/// What is said to a request: a result, or the object of an error.
pub(crate) type Answer = Result<Value, Value>;

/// The error with this code and message.
pub(crate) fn error(code: i64, message: impl Into<String>) -> Answer {
    Err(json!({ "code": code, "message": message.into() }))
}

/// One request. What is missing is empty: the node behind will say that it is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Vec<Value>,
}

impl Request {
    /// A question of our own.
    pub(crate) fn new(method: &str, params: Vec<Value>) -> Self {
        Self { id: json!(0), method: method.to_owned(), params }
    }

    fn read(mut value: Value) -> Self {
        let mut field = |name: &str| value.get_mut(name).map(Value::take).unwrap_or_default();
        let params = match field("params") {
            Value::Array(params) => params,
            _ => Vec::new(),
        };
        Self { id: field("id"), method: field("method").as_str().unwrap_or_default().to_owned(), params }
    }

    /// As it is sent, under an id of ours.
    pub(crate) fn with_id(&self, id: u64) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": self.method, "params": self.params })
    }

    /// The message that answers it.
    pub(crate) fn answered(&self, answer: Answer) -> Value {
        let (key, value) = match answer {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        json!({ "jsonrpc": "2.0", "id": self.id, key: value })
    }
}

/// What came in one body or one frame: a request, or several.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) requests: Vec<Request>,
    batch: bool,
}

impl Message {
    pub(crate) fn read(text: &[u8]) -> Self {
        match serde_json::from_slice(text).unwrap_or_default() {
            Value::Array(items) => Self { requests: items.into_iter().map(Request::read).collect(), batch: true },
            item => Self { requests: vec![Request::read(item)], batch: false },
        }
    }

    /// The answers to its requests, in the shape in which they were asked.
    pub(crate) fn answered(&self, mut answers: Vec<Value>) -> String {
        match answers.pop() {
            Some(answer) if !self.batch => answer.to_string(),
            last => Value::Array(answers.into_iter().chain(last).collect()).to_string(),
        }
    }

    /// The same answer to each of its requests.
    pub(crate) fn each_answered(&self, answer: &Answer) -> String {
        self.answered(self.requests.iter().map(|request| request.answered(answer.clone())).collect())
    }
}

/// The answer in a message of a node.
pub(crate) fn answer_in(mut message: Value) -> Answer {
    match message.get_mut("error").map(Value::take) {
        Some(error) if !error.is_null() => Err(error),
        _ => Ok(message.get_mut("result").map(Value::take).unwrap_or_default()),
    }
}

/// A number as JSON-RPC writes it.
pub(crate) fn quantity(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// The number that is written so; none if it is no number.
pub(crate) fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_answered_in_its_shape() {
        let one = Message::read(br#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId"}"#);
        assert_eq!(one.requests, [Request { id: json!(7), ..Request::new("eth_chainId", Vec::new()) }]);
        assert_eq!(one.each_answered(&Ok(json!("0x1"))), r#"{"id":7,"jsonrpc":"2.0","result":"0x1"}"#);
        let batch = Message::read(br#"[{"id":"a","method":"x","params":[1]},{"id":"b","method":"y"}]"#);
        let answered: Value = serde_json::from_str(&batch.each_answered(&error(-1, "no"))).unwrap();
        let no = |id: &str| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": "no" } });
        assert_eq!(answered, json!([no("a"), no("b")]));
    }

    #[test]
    fn what_is_no_request_is_an_empty_one() {
        let empty = Request { id: Value::Null, ..Request::new("", Vec::new()) };
        assert_eq!(Message::read(b"<html>"), Message { requests: vec![empty.clone()], batch: false });
        assert_eq!(Message::read(b"[3]"), Message { requests: vec![empty], batch: true });
        assert_eq!(Message::read(b"[]").each_answered(&Ok(Value::Null)), "[]");
    }

    #[test]
    fn an_answer_is_a_result_or_an_error() {
        assert_eq!(answer_in(json!({ "id": 1, "result": null })), Ok(Value::Null));
        assert_eq!(answer_in(json!({ "id": 1, "error": { "code": 3 } })), Err(json!({ "code": 3 })));
        assert_eq!((number(&quantity(255)), number(&json!("latest")), number(&json!(3))), (Some(255), None, None));
    }
}
