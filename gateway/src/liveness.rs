//! Who of a service is alive. Pure.
//!
//! An instance is alive while its lease runs. When many of a service fall silent at once, it is more likely that their
//! heartbeats are lost than that they are dead: whose lease runs out then is kept for a while, as a suspect. One that
//! dies alone goes at once.

/// The smallest deviation of the time between two heartbeats, in seconds: blocks come in whole seconds.
const LEAST_DEVIATION: f64 = 1.0;

/// The weight of the newest interval in what is usual.
const WEIGHT: f64 = 0.125;

/// The largest phi that is told: one second more or less says nothing any more.
const MOST: f64 = 99.9;

/// With fewer of the expected instances than this, heartbeats are being lost.
const EXPECTED: f64 = 0.85;

/// How many ttls after its last heartbeat a suspect goes at the latest.
const TTLS: u64 = 3;

/// How often an instance sends heartbeats, as far as was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rhythm {
    /// Mean and variance of the time between two, in seconds and seconds².
    usual: Option<(f64, f64)>,
}

impl Rhythm {
    /// A heartbeat came, so long after the one before.
    pub(crate) fn beat(&mut self, after: u64) {
        let after = seconds(after);
        let (mean, variance) = self.usual.unwrap_or((after, 0.0));
        let off = after - mean;
        let mean = WEIGHT.mul_add(off, mean);
        let variance = (1.0 - WEIGHT) * (WEIGHT * off).mul_add(off, variance);
        self.usual = Some((mean, variance));
    }

    /// How unlikely a silence of so many seconds is, as phi accrual has it: about `10^-phi`. None before two heartbeats
    /// were seen.
    pub(crate) fn phi(&self, silent: u64) -> Option<f64> {
        let (mean, variance) = self.usual?;
        let deviation = variance.sqrt().max(LEAST_DEVIATION).max(mean / 10.0);
        let y = (seconds(silent) - mean) / deviation;
        // The logistic function is close enough to the normal distribution.
        let e = (-y * (0.070_566 * y).mul_add(y, 1.597_6)).exp();
        let later = if y > 0.0 { e / (1.0 + e) } else { 1.0 - 1.0 / (1.0 + e) };
        let phi = if later > 0.0 { (-later.log10()).clamp(0.0, MOST) } else { MOST };
        // Not -0.
        Some((phi * 10.0).round() / 10.0 + 0.0)
    }

    /// Whether at least one heartbeat is overdue after so many seconds of silence.
    fn misses(&self, silent: u64, ttl: u64) -> bool {
        let patience = self.usual.map_or(0.75 * seconds(ttl), |(mean, _)| 2.0f64.mul_add(mean, LEAST_DEVIATION));
        seconds(silent) > patience.min(seconds(ttl))
    }
}

/// What became of an instance that is listed and active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its lease runs.
    #[default]
    Live,
    /// Its lease has run out, together with too many others of its service.
    Suspect,
    /// Its lease has run out.
    Expired,
}

/// What is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    pub(crate) last_heartbeat: u64,
    pub(crate) ttl: u64,
    pub(crate) rhythm: Rhythm,
    /// What became of it before, if it had no heartbeat since.
    pub(crate) before: Standing,
}

impl Pulse {
    /// From when on its silence counts. Who had gone before the chain stood still is gone.
    fn heard(&self, resumed: u64) -> u64 {
        if self.before == Standing::Expired { self.last_heartbeat } else { self.last_heartbeat.max(resumed) }
    }
}

/// Judges all active instances of a service at the chain time `now`. Nobody is held to what he missed before `resumed`,
/// when the chain last came back after it stood still.
pub(crate) fn judge(pulses: &[Pulse], now: u64, resumed: u64) -> Vec<Standing> {
    let silence = |pulse: &Pulse| now.saturating_sub(pulse.heard(resumed));
    let expected = pulses.iter().filter(|pulse| pulse.before != Standing::Expired);
    let silent = expected.clone().filter(|pulse| pulse.rhythm.misses(silence(pulse), pulse.ttl)).count();
    let expected = expected.count();
    let lost = silent > 1 && as_float(expected - silent) < EXPECTED * as_float(expected);
    let standing = |pulse: &Pulse| match silence(pulse) {
        silence if silence <= pulse.ttl => Standing::Live,
        silence if lost && pulse.before != Standing::Expired && silence <= TTLS * pulse.ttl => Standing::Suspect,
        _ => Standing::Expired,
    };
    pulses.iter().map(standing).collect()
}

/// The first second after `now` at which something may become of one that stands like this; none if nothing will.
pub(crate) fn next(pulse: &Pulse, standing: Standing, now: u64, resumed: u64) -> Option<u64> {
    let heard = pulse.heard(resumed);
    let ends = |heard: u64| heard.saturating_add(pulse.ttl).saturating_add(1);
    match standing {
        // What is left of its lease, then of the time that it has to send another heartbeat.
        Standing::Live => Some(ends(pulse.last_heartbeat)).filter(|end| *end > now).or(Some(ends(heard))),
        Standing::Suspect => Some(heard.saturating_add(TTLS * pulse.ttl).saturating_add(1)),
        Standing::Expired => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of silence are far below 2^52")]
fn seconds(seconds: u64) -> f64 {
    seconds as f64
}

#[expect(clippy::cast_precision_loss, reason = "instances of a service are far below 2^52")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Standing::*, *};

    fn pulse(last_heartbeat: u64) -> Pulse {
        let mut rhythm = Rhythm::default();
        (0..10).for_each(|_| rhythm.beat(10));
        Pulse { last_heartbeat, ttl: 30, rhythm, before: Live }
    }

    #[test]
    fn one_that_dies_alone_goes_at_once() {
        for others in 0..20 {
            let mut pulses = vec![pulse(131); others];
            pulses.push(pulse(100));
            assert_eq!(judge(&pulses, 130, 0).last(), Some(&Live), "of {others}");
            assert_eq!(judge(&pulses, 131, 0).last(), Some(&Expired), "of {others}");
        }
    }

    #[test]
    fn when_many_fall_silent_nobody_goes_before_three_ttls() {
        let mut pulses: Vec<Pulse> = (0..9).map(|n| pulse(100 + n)).collect();
        for now in 100..=190 {
            pulses.truncate(9);
            pulses.push(pulse(now));
            let standings = judge(&pulses, now, 0);
            assert!(!standings.contains(&Expired), "at {now}: {standings:?}");
            assert_eq!(standings[0] == Suspect, now > 130, "at {now}");
            pulses.iter_mut().zip(standings).for_each(|(pulse, standing)| pulse.before = standing);
        }
        assert_eq!(judge(&pulses, 191, 0)[..2], [Expired, Suspect]);
    }

    #[test]
    fn suspects_that_come_back_end_it_for_the_others() {
        let mut pulses = vec![pulse(100); 10];
        assert_eq!(judge(&pulses, 131, 0), [Suspect; 10]);
        pulses.iter_mut().for_each(|pulse| pulse.before = Suspect);
        pulses[1..].iter_mut().for_each(|back| *back = pulse(140));
        let standings = judge(&pulses, 141, 0);
        assert_eq!((standings[0], &standings[1..]), (Expired, &[Live; 9][..]));
    }

    #[test]
    fn who_has_gone_does_not_come_back_with_the_next_who_dies() {
        let mut pulses = vec![pulse(100), pulse(120), pulse(150)];
        assert_eq!(judge(&pulses, 131, 0), [Expired, Live, Live]);
        pulses[0].before = Expired;
        assert_eq!(judge(&pulses, 151, 0), [Expired, Expired, Live]);
    }

    #[test]
    fn after_a_standstill_everybody_has_a_ttl() {
        let pulses = vec![pulse(100), pulse(90)];
        assert_eq!(judge(&pulses, 700, 700), [Live, Live]);
        assert_eq!(judge(&pulses, 730, 700), [Live, Live]);
        assert_eq!(next(&pulses[0], Live, 700, 700), Some(731));
        let gone = Pulse { before: Expired, ..pulse(100) };
        assert_eq!(judge(&[gone, pulse(100)], 700, 700), [Expired, Live], "who was gone before does not come back");
    }

    #[test]
    fn phi_rises_with_silence() {
        let phi = |silent| pulse(0).rhythm.phi(silent).expect("many were seen");
        assert!(phi(9) < 0.5 && phi(10) < 0.5, "{} {}", phi(9), phi(10));
        assert!(phi(12) > 1.0 && phi(14) > 3.0 && phi(30) > 8.0, "{} {} {}", phi(12), phi(14), phi(30));
        assert_eq!(Rhythm::default().phi(1_000), None);
    }

    proptest! {
        #[test]
        fn whose_lease_runs_is_live_whatever_the_others_do(
            beats in proptest::collection::vec((0u64..200, 5u64..60, any::<bool>()), 1..20), now in 0u64..300,
        ) {
            let pulses: Vec<Pulse> = beats
                .iter()
                .map(|&(last_heartbeat, ttl, gone)| Pulse {
                    last_heartbeat, ttl, rhythm: Rhythm::default(), before: if gone { Expired } else { Live },
                })
                .collect();
            for (pulse, standing) in pulses.iter().zip(judge(&pulses, now, 0)) {
                prop_assert_eq!(standing == Live, now <= pulse.last_heartbeat + pulse.ttl);
                prop_assert!(standing != Suspect || now <= pulse.last_heartbeat + 3 * pulse.ttl);
                if let Some(next) = next(pulse, standing, now, 0) {
                    prop_assert!(next > now);
                }
            }
        }

        #[test]
        fn phi_is_a_number_and_does_not_fall(intervals in proptest::collection::vec(0u64..10_000, 1..50)) {
            let mut rhythm = Rhythm::default();
            intervals.iter().for_each(|interval| rhythm.beat(*interval));
            let mut last = 0.0;
            for silent in (0..30_000).step_by(500) {
                let phi = rhythm.phi(silent).expect("beats were seen");
                prop_assert!((0.0..=MOST).contains(&phi) && phi >= last, "{} after {}", phi, last);
                last = phi;
            }
        }
    }
}
