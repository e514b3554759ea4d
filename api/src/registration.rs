//! Registrations that one signs and a gateway sends: what `rollcall register --sign-only` prints, and the answer.

use std::str::FromStr;

use domain::{Address, B256, BlockRef, Bytes, InstanceId};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::ToSchema;

/// A registration that its registrant signed, and that anybody can send. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedRegistration {
    /// The chain that it is for.
    #[schema(example = 31337)]
    pub chain_id: u64,
    /// The registry that it is for.
    #[serde(serialize_with = "crate::account::serialize", deserialize_with = "hexadecimal")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub contract: Address,
    /// What is to be done.
    pub kind: RegistrationKind,
    /// What was signed.
    pub message: RegistrationMessage,
    /// The last second of chain time at which it can be sent.
    #[schema(example = 1_795_255_587, maximum = 1_099_511_627_775_u64)]
    pub deadline: u64,
    /// The registrant's signature over all of the above, as EIP-712 has it: of a key (64 or 65 bytes), or what a contract
    /// understands (ERC-1271).
    #[schema(value_type = String, pattern = "^0x([0-9a-fA-F]{2})*$")]
    pub signature: HexBytes,
}

/// What is to be done. Other signed calls are sent by `rollcall relay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationKind {
    /// Register an instance.
    Register,
}

/// The instance, and what it publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrationMessage {
    /// `namespace/name`.
    #[schema(
        example = "acme/payments",
        pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})/[a-z0-9][a-z0-9._-]{0,62}$"
    )]
    pub service: String,
    /// Who signs, and owns the instance then.
    #[serde(serialize_with = "crate::account::serialize", deserialize_with = "hexadecimal")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub registrant: Address,
    /// The name of the instance among the registrant's of this service.
    #[schema(example = "a1", pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    pub label: String,
    /// What it runs.
    #[schema(example = "1.2.0", pattern = "^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,62}$")]
    pub version: String,
    /// Where it serves: 1 to 256 bytes each.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 16, example = json!(["0x68747470733a2f2f612e6578616d706c65"]))]
    pub endpoints: Vec<HexBytes>,
    /// At most 4,096 bytes; by convention a JSON object.
    #[schema(value_type = String, pattern = "^0x([0-9a-fA-F]{2}){0,4096}$")]
    pub metadata: HexBytes,
    /// The length of the lease in seconds.
    #[schema(minimum = 5, maximum = 2_592_000)]
    pub ttl_s: u32,
    /// The epoch of the instance; 0 if it is new.
    #[schema(maximum = 16_777_215)]
    pub epoch: u32,
}

/// Bytes as `0x` and hexadecimal digits, and in no other form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HexBytes(#[serde(deserialize_with = "hexadecimal")] pub Bytes);

/// What became of a signed registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistrationAnswer {
    /// The instance: `GET /v1/instances/{id}` finds it a moment after its block.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub id: InstanceId,
    /// How far it got.
    pub status: RegistrationStatus,
    /// The transaction; null if the node has not taken it yet. It may become another one while the registration is pending.
    #[schema(value_type = Option<String>, pattern = "^0x[0-9a-f]{64}$")]
    pub transaction: Option<B256>,
    /// The block that the transaction is in; null while it is in none. A reorg may take it out again.
    #[schema(inline)]
    pub block: Option<MinedBlock>,
}

/// How far a registration got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStatus {
    /// It is on its way, and in no block yet.
    Pending,
    /// Its transaction is in a block, and succeeded.
    Mined,
}

/// A block that a transaction is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MinedBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub hash: B256,
}

impl SignedRegistration {
    /// Whether the same was signed. Signatures may differ: one signature can be written in several ways.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.chain_id, self.contract, self.kind, self.deadline)
            == (other.chain_id, other.contract, other.kind, other.deadline)
            && self.message == other.message
    }
}

impl From<BlockRef> for MinedBlock {
    fn from(block: BlockRef) -> Self {
        Self { number: block.number, hash: block.hash }
    }
}

/// The types of alloy also read lists of numbers, and digits without `0x`: here there is one form alone.
fn hexadecimal<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = text.strip_prefix("0x").filter(|digits| !digits.starts_with("0x")).and_then(|_| text.parse().ok());
    bytes.ok_or_else(|| D::Error::custom("expected 0x and hexadecimal digits of the right number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_form() {
        for (text, bytes) in [("\"0x\"", vec![]), ("\"0x00fF\"", vec![0, 255])] {
            assert_eq!(serde_json::from_str::<HexBytes>(text).expect(text).0, Bytes::from(bytes));
        }
        for wrong in ["\"\"", "\"00\"", "\"0X00\"", "\"0x0\"", "\"0x0x00\"", "\"0xzz\"", "\"0x 0\"", "[0]", "0", "null"]
        {
            assert!(serde_json::from_str::<HexBytes>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&HexBytes(Bytes::from_static(&[0, 255]))).expect("JSON"), "\"0x00ff\"");
    }
}
