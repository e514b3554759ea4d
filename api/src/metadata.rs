//! Which bytes are metadata, and how to serve those that are not.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// What an owner claims about an instance, as the chain holds it: any bytes, up to 4,096.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Metadata {
    /// None.
    #[default]
    Empty,
    /// A JSON object in the sense of RFC 7493 (I-JSON): in UTF-8, no name twice, numbers within a double, no
    /// deeper than 100 levels and of no more than 256 values. All parsers read it alike.
    Object(Map<String, Value>),
    /// Anything else. It matches no filter.
    Opaque(Bytes),
}

/// The deepest metadata that is served as an object. Less than serde_json reads (128), so that the answer that it is
/// put into can be read as well.
const MAX_DEPTH: usize = 100;

/// The most values in an object: parsed, 4 KB of nothing but tiny objects would take a hundred times their size.
const MAX_VALUES: usize = 256;

/// Names that serde_json gives a meaning of its own when certain features of it are on (`raw_value`): in metadata, they
/// would let one instance make a whole answer unreadable for a client.
const RESERVED: &str = "$serde_json::private::";

impl Metadata {
    /// Reads the bytes that the chain holds.
    pub fn from_bytes(bytes: &Bytes) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        match serde_json::from_slice::<Strict>(bytes) {
            Ok(Strict(Value::Object(object))) if object.values().map(count).sum::<usize>() <= MAX_VALUES => {
                Self::Object(object)
            }
            _ => Self::Opaque(bytes.clone()),
        }
    }

    /// The two fields of an answer, of which at most one is there.
    pub fn into_fields(self) -> (Option<Map<String, Value>>, Option<String>) {
        match self {
            Self::Empty => (None, None),
            Self::Object(object) => (Some(object), None),
            Self::Opaque(bytes) => (None, Some(BASE64_STANDARD.encode(&bytes))),
        }
    }

    /// The object, if it is one.
    pub fn object(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Empty | Self::Opaque(_) => None,
        }
    }
}

/// A value without names that come twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(0).deserialize(deserializer).map(Self)
    }
}

/// How many values a value holds, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Reads a value at a depth.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 < MAX_DEPTH { Ok(Self(self.0 + 1)) } else { Err(E::custom("too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number of JSON"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(level)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if name.starts_with(RESERVED) {
                return Err(A::Error::custom("a reserved name"));
            }
            let value = access.next_value_seed(level)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: impl AsRef<[u8]>) -> Metadata {
        Metadata::from_bytes(&Bytes::copy_from_slice(bytes.as_ref()))
    }

    fn nested(levels: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn an_object_is_read_and_anything_else_is_kept_as_bytes() {
        let object = read(r#" {"zone":"a","tags":["x"],"nul":"\u0000","n":18446744073709551615,"f":-1.5e3} "#);
        let object = object.object().expect("an object");
        assert_eq!(object["nul"], "\0");
        assert_eq!(object["n"], u64::MAX);
        assert_eq!(read(""), Metadata::Empty);
        for opaque in [
            "null",
            "[]",
            "\"a\"",
            "1",
            "{",
            "{} {}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "\u{feff}{}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"b\":{\"a\":1,\"a\":1}}",
            "{\"a\":\"\0\"}",
            r#"{"a":{"$serde_json::private::RawValue":"{"}}"#,
        ] {
            assert_eq!(read(opaque), Metadata::Opaque(opaque.as_bytes().to_vec().into()), "{opaque:?}");
        }
        assert!(matches!(read([0xff, b'{', b'}']), Metadata::Opaque(_)));
    }

    #[test]
    fn depth_has_an_end() {
        assert!(matches!(read(nested(100)), Metadata::Object(_)));
        assert!(matches!(read(nested(101)), Metadata::Opaque(_)));
        assert!(matches!(read(nested(2_000)), Metadata::Opaque(_)));
        assert!(matches!(read("{\"a\":".repeat(800)), Metadata::Opaque(_)));
    }

    #[test]
    fn the_number_of_values_has_an_end() {
        let list = |items: usize| format!("{{\"a\":[{}]}}", vec!["{}"; items].join(","));
        assert!(matches!(read(list(MAX_VALUES - 1)), Metadata::Object(_)));
        assert!(matches!(read(list(MAX_VALUES)), Metadata::Opaque(_)));
    }

    #[test]
    fn a_large_number_stays_a_number() {
        let metadata = read(r#"{"n":123456789012345678901234567890,"tiny":1e-400}"#);
        let object = metadata.object().expect("an object");
        assert!(object["n"].is_f64());
        assert_eq!(object["tiny"].as_f64(), Some(0.0));
    }

    proptest! {
        #[test]
        fn any_bytes_come_out_as_valid_json(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (object, base64) = read(&bytes).into_fields();
            prop_assert!(object.is_none() || base64.is_none());
            if let Some(base64) = base64 {
                prop_assert_eq!(BASE64_STANDARD.decode(base64).expect("base64"), bytes);
            }
        }

        #[test]
        fn any_text_survives_in_an_object(name in ".{0,40}", value in ".{0,40}") {
            let mut object = Map::new();
            object.insert(name, value.into());
            let text = serde_json::to_vec(&object).expect("JSON");
            prop_assert_eq!(read(text), Metadata::Object(object));
        }
    }
}
