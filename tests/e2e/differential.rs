//! Random transactions of many actors, random reorgs, restarts of the indexer: a plain model, the index and the contract
//! agree.
//!
//! The model says of each transaction whether the contract must accept or refuse it, and what follows; reorgs take it
//! back to what it was. At each comparison every row of the index must be as the model has it, all views of the contracts
//! too, the contracts' storage must be what follows from the rows, word by word, and `indexer check` must find nothing but
//! that Anvil's storage roots are not standard.
//!
//! Each run begins with another seed and says it first. `PROPTEST_RNG_SEED=<seed> cargo test -p e2e differential` plays
//! the same cases again; `PROPTEST_CASES=<n>` sets how many. Of a case that fails as few steps are shown as will fail.
//!
//! In reading order:
//! - `steps`: what happens (pure); `act`: calls made of it (pure)
//! - `model`: the contracts' rules (pure)
//! - `play`: a case, played; `encode`: calls for the chain
//! - `agree`: the index against the model; `rows`: the rows it must have; `views`: the contracts against the model;
//!   `words`: the index against their storage

use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use tokio::runtime::Runtime;

mod act;
mod agree;
mod encode;
mod model;
mod play;
mod rows;
mod steps;
mod views;
mod words;

/// How many cases are played if nothing else is said.
const CASES: u32 = 12;

/// For how long a case that fails is made smaller, in milliseconds.
const SHRINK: u32 = 180_000;

#[test]
fn a_plain_model_the_index_and_the_contract_agree() {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    for (name, setting, ours) in [
        ("PROPTEST_CASES", &mut config.cases, CASES),
        ("PROPTEST_MAX_SHRINK_TIME", &mut config.max_shrink_time, SHRINK),
        ("PROPTEST_MAX_SHRINK_ITERS", &mut config.max_shrink_iters, 10_000),
    ] {
        if std::env::var_os(name).is_none() {
            *setting = ours;
        }
    }
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one(0),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let again = format!("PROPTEST_RNG_SEED={seed} PROPTEST_CASES={} cargo test -p e2e differential", config.cases);
    println!("{again}");
    let total = RefCell::new(play::Tally::new());
    let played = TestRunner::new(config).run(&steps::plan(), |plan| {
        let runtime = Runtime::new().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let played = runtime.block_on(play::play(&plan));
        for (kind, [accepted, refused]) in played.map_err(|error| TestCaseError::fail(format!("{error:#}")))? {
            let mut total = total.borrow_mut();
            let of = total.entry(kind).or_default();
            (of[0], of[1]) = (of[0] + accepted, of[1] + refused);
        }
        Ok(())
    });
    println!("accepted and refused: {:?}", total.take());
    match played {
        Ok(()) => {}
        Err(TestError::Fail(reason, plan)) => {
            let steps: Vec<String> = plan.steps.iter().map(|step| format!("\n  {step:?}")).collect();
            panic!("{reason}\n{:?}{}\nonce more: {again}", plan.settings, steps.concat());
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
