//! Lies about logs, told the same in lists of logs and in receipts.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    Fault, Part,
    message::{number, quantity},
};

/// Whether a fault is one of logs.
pub(crate) fn concerns(fault: Fault) -> bool {
    use Fault::*;
    matches!(fault, DropLog | ForgeLog(_) | ReorderLogs | DuplicateLog | OmitLogs)
}

/// What is made of the answer to `eth_getLogs`.
pub(crate) fn in_logs(fault: Fault, result: Value) -> Value {
    match result {
        Value::Array(logs) => Value::Array(tampered(fault, logs)),
        other => other,
    }
}

/// What is made of the answer to `eth_getBlockReceipts`: of all receipts of a block at once.
pub(crate) fn in_receipts(fault: Fault, mut result: Value) -> Value {
    let Some(receipts) = result.as_array_mut() else {
        return result;
    };
    let taken = receipts.iter_mut().filter_map(|receipt| match receipt.get_mut("logs").map(Value::take) {
        Some(Value::Array(logs)) => Some(logs),
        _ => None,
    });
    let mut logs = tampered(fault, taken.flatten().collect());
    for receipt in receipts {
        let transaction = receipt["transactionHash"].clone();
        let ours = logs.extract_if(.., |log| log["transactionHash"] == transaction).collect();
        receipt["logs"] = Value::Array(ours);
    }
    result
}

/// The receipt of one transaction, of all receipts of its block.
pub(crate) fn receipt_of(transaction: &Value, receipts: Value) -> Value {
    let Value::Array(receipts) = receipts else {
        return Value::Null;
    };
    receipts.into_iter().find(|receipt| receipt["transactionHash"] == *transaction).unwrap_or_default()
}

/// Strikes the last log of each contract in each block; the answer is in order.
fn tampered(fault: Fault, mut logs: Vec<Value>) -> Vec<Value> {
    if fault == Fault::OmitLogs {
        return Vec::new();
    }
    let place = |log: &Value| (number(&log["blockNumber"]), number(&log["logIndex"]));
    logs.sort_by_key(place);
    let mut contracts: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (at, log) in logs.iter().enumerate() {
        contracts.entry((log["blockHash"].to_string(), log["address"].to_string())).or_default().push(at);
    }
    let mut dropped = Vec::new();
    for of_contract in contracts.values() {
        let [.., last] = of_contract[..] else { continue };
        match fault {
            Fault::DropLog => dropped.push(last),
            Fault::ForgeLog(part) => forge(&mut logs[last], part),
            Fault::ReorderLogs => {
                if let [.., before, last] = of_contract[..] {
                    let index = logs[before]["logIndex"].take();
                    logs[before]["logIndex"] = std::mem::replace(&mut logs[last]["logIndex"], index);
                }
            }
            Fault::DuplicateLog => {
                let mut again = logs[last].clone();
                again["logIndex"] = quantity(number(&again["logIndex"]).unwrap_or_default() + 1);
                logs.push(again);
            }
            _ => {}
        }
    }
    dropped.sort_unstable();
    for at in dropped.into_iter().rev() {
        logs.remove(at);
    }
    logs.sort_by_key(place);
    logs
}

fn forge(log: &mut Value, part: Part) {
    let data = log["data"].as_str().filter(|data| data.len() > 2).map(|data| turned(data, 32));
    let topic = log["topics"].as_array().and_then(|topics| topics.last()?.as_str()).map(|topic| turned(topic, 32));
    match (part, data, topic) {
        (Part::Data, Some(data), _) | (Part::Topic, Some(data), None) => log["data"] = data.into(),
        (_, _, Some(topic)) => {
            if let Some(last) = log["topics"].as_array_mut().and_then(|topics| topics.last_mut()) {
                *last = topic.into();
            }
        }
        // It says nothing that could be forged.
        (_, None, None) => {}
    }
}

/// Bytes in hexadecimal, with the lowest bit of the byte before `end`, or of the last one, turned.
fn turned(bytes: &str, end: usize) -> String {
    let at = bytes.len().min(2 + 2 * end) - 1;
    let turn = |digit: char| digit.to_digit(16).and_then(|digit| char::from_digit(digit ^ 1, 16)).unwrap_or(digit);
    bytes.chars().enumerate().map(|(place, digit)| if place == at { turn(digit) } else { digit }).collect()
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
