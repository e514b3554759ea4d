use serde_json::json;

use super::*;

/// A log of a contract in block 1; the transaction is as many as the index is.
fn log(contract: &str, index: u64) -> Value {
    json!({
        "address": contract, "topics": ["0x01", "0x02"], "data": "0x0a", "blockHash": "0xbb", "blockNumber": "0x1",
        "transactionHash": format!("{index}"), "logIndex": format!("{index:#x}"),
    })
}

fn with(mut log: Value, field: &str, value: Value) -> Value {
    log[field] = value;
    log
}

fn lie(fault: Fault, logs: Value) -> Value {
    in_logs(fault, logs)
}

#[test]
fn the_last_log_of_each_contract_is_struck() {
    let truth = json!([log("a", 0), log("b", 1), log("a", 2)]);
    assert_eq!(lie(Fault::DropLog, truth.clone()), json!([log("a", 0)]));
    assert_eq!(lie(Fault::OmitLogs, truth.clone()), json!([]));
    let forged = lie(Fault::ForgeLog(Part::Data), truth.clone());
    let b = |log| with(log, "data", json!("0x0b"));
    assert_eq!(forged, json!([log("a", 0), b(log("b", 1)), b(log("a", 2))]));
    let topic = |log| with(log, "topics", json!(["0x01", "0x03"]));
    let forged = lie(Fault::ForgeLog(Part::Topic), truth.clone());
    assert_eq!(forged, json!([log("a", 0), topic(log("b", 1)), topic(log("a", 2))]));
}

#[test]
fn logs_swap_their_indexes_and_places() {
    let truth = json!([log("a", 0), log("b", 1), log("a", 2), log("a", 3)]);
    let (two, three) = (with(log("a", 2), "logIndex", json!("0x3")), with(log("a", 3), "logIndex", json!("0x2")));
    assert_eq!(lie(Fault::ReorderLogs, truth), json!([log("a", 0), log("b", 1), three, two]));
    assert_eq!(lie(Fault::ReorderLogs, json!([log("a", 0)])), json!([log("a", 0)]));
}

#[test]
fn a_log_comes_twice_with_the_next_index() {
    let again = with(log("a", 1), "logIndex", json!("0x2"));
    assert_eq!(lie(Fault::DuplicateLog, json!([log("a", 0), log("a", 1)])), json!([log("a", 0), log("a", 1), again]));
}

#[test]
fn each_block_of_a_range_is_struck() {
    let later = |log| with(with(log, "blockHash", json!("0xcc")), "blockNumber", json!("0x2"));
    let truth = json!([log("a", 0), log("a", 1), later(log("a", 0)), later(log("a", 1))]);
    assert_eq!(lie(Fault::DropLog, truth), json!([log("a", 0), later(log("a", 0))]));
}

#[test]
fn receipts_tell_the_same_lie() {
    let receipt = |index: u64| json!({ "transactionHash": format!("{index}"), "logs": [log("a", index)] });
    let logs = json!([log("a", 0), log("a", 1)]);
    use Fault::*;
    for fault in [DropLog, ForgeLog(Part::Data), ForgeLog(Part::Topic), ReorderLogs, DuplicateLog, OmitLogs] {
        let receipts = in_receipts(fault, json!([receipt(0), receipt(1)]));
        let mut told: Vec<Value> = (0..2).flat_map(|at| receipts[at]["logs"].as_array().unwrap().clone()).collect();
        told.sort_by_key(|log| number(&log["logIndex"]));
        assert_eq!(json!(told), lie(fault, logs.clone()), "{fault:?}");
    }
    assert_eq!(in_receipts(DropLog, Value::Null), Value::Null);
    assert_eq!(receipt_of(&json!("1"), json!([receipt(0), receipt(1)])), receipt(1));
    assert_eq!(receipt_of(&json!("7"), json!([receipt(0)])), Value::Null);
}

#[test]
fn what_has_no_data_is_forged_in_a_topic_and_the_reverse() {
    let no_data = with(log("a", 0), "data", json!("0x"));
    let forged = lie(Fault::ForgeLog(Part::Data), json!([no_data]));
    assert_eq!(forged[0]["topics"], json!(["0x01", "0x03"]));
    let no_topic = with(log("a", 0), "topics", json!([]));
    assert_eq!(lie(Fault::ForgeLog(Part::Topic), json!([no_topic]))[0]["data"], "0x0b");
    let long = with(log("a", 0), "data", json!(format!("0x{}", "00".repeat(64))));
    let forged = lie(Fault::ForgeLog(Part::Data), json!([long]));
    assert_eq!(forged[0]["data"], format!("0x{}01{}", "00".repeat(31), "00".repeat(32)));
}
