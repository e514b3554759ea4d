//! Medians and percentiles, rounded to what they are worth.

/// The middle one, to three digits behind the point.
pub fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The value that the part `p` of all others is not above, to three digits behind the point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
pub fn percentile(mut values: Vec<f64>, p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * p) as usize;
    let value = values.get(index.min(values.len().saturating_sub(1)));
    value.map_or(f64::NAN, |value| (value * 1000.0).round() / 1000.0)
}

/// How many in a second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn rate(count: u64, seconds: f64) -> f64 {
    (count as f64 / seconds).round()
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn percentiles_are_values_that_were_there() {
        let values: Vec<f64> = (1..=300).map(f64::from).collect();
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(percentile(values.clone(), 0.99), 298.0);
        assert_eq!(percentile(values, 1.0), 300.0);
        assert!(median(Vec::new()).is_nan());
    }
}
