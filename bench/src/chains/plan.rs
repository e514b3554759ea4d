//! Which transactions make a chain.

use alloy::primitives::{Bytes, U256};

use super::{Crowd, encode};

/// How many instances there are in a dense chain.
const INSTANCES: u64 = 500;
/// And in a sparse one: with each block Anvil hashes all storage anew.
const FEW: u64 = 100;
/// How many instances register in a block of a dense chain.
const JOIN: u64 = 50;
/// Heartbeats in a block of a dense chain; an update follows.
const BEATS: u64 = 45;
/// In a sparse chain each such block has an update.
const UPDATE_EVERY: u64 = 50;

/// What a chain looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// More than 100,000 events in 2,202 blocks
    Dense,
    /// 20,000 events, one in each block
    Sparse,
    /// More than 1,000,000 events, as dense
    Growth,
}

/// The input of one transaction of the crowd, and how many events of the registry it makes.
pub struct Call {
    pub input: Bytes,
    pub events: u64,
}

impl Call {
    /// Registers the instances from `from` on.
    pub fn join(from: u64, count: u64) -> Self {
        let input = encode(&Crowd::joinCall { from: U256::from(from), count: U256::from(count) });
        Self { input, events: count }
    }

    /// Renews one lease.
    pub fn beat(instance: u64) -> Self {
        let [from, count, size] = [instance, 1, instance + 1].map(U256::from);
        Self { input: encode(&Crowd::beatCall { from, count, size }), events: 1 }
    }

    fn update(instance: u64, patch: u64) -> Self {
        let input = encode(&Crowd::updateCall { i: U256::from(instance), patch: U256::from(patch) });
        Self { input, events: 1 }
    }

    fn beats_and_update(round: u64) -> Self {
        let [from, count, size, patch] = [round * BEATS, BEATS, INSTANCES, round + 1].map(U256::from);
        Self { input: encode(&Crowd::beatAndUpdateCall { from, count, size, patch }), events: BEATS + 1 }
    }
}

/// The calls of a shape, each for a block of its own.
pub fn calls(shape: Shape) -> Box<dyn Iterator<Item = Call>> {
    match shape {
        Shape::Dense => Box::new(dense(2_190)),
        Shape::Growth => Box::new(dense(21_800)),
        Shape::Sparse => Box::new(sparse(20_000)),
    }
}

fn dense(rounds: u64) -> impl Iterator<Item = Call> {
    let joins = (0..INSTANCES / JOIN).map(|i| Call::join(i * JOIN, JOIN));
    joins.chain((0..rounds).map(Call::beats_and_update))
}

fn sparse(blocks: u64) -> impl Iterator<Item = Call> {
    (0..blocks).map(|i| match i {
        _ if i < FEW => Call::join(i, 1),
        _ if i % UPDATE_EVERY == 0 => Call::update(i / UPDATE_EVERY % FEW, i),
        _ => Call::beat(i % FEW),
    })
}

#[cfg(test)]
mod tests {
    use super::{Shape, calls};

    #[test]
    fn shapes_have_the_sizes_that_the_figures_are_of() {
        let size = |shape| calls(shape).fold((0, 0), |(blocks, events), call| (blocks + 1, events + call.events));
        assert_eq!(size(Shape::Dense), (2_200, 101_240));
        assert_eq!(size(Shape::Sparse), (20_000, 20_000));
        assert_eq!(size(Shape::Growth), (21_810, 1_003_300));
    }
}
