//! How much of contracts/src the tests reach: lines and branches of each file, and the least that they may be in total.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tools::Tools;

use crate::forge;

const LEAST_LINES: f64 = 95.0;
const LEAST_BRANCHES: f64 = 90.0;

#[derive(Default)]
struct Counts {
    lines: (u32, u32),
    branches: (u32, u32),
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.lines = (self.lines.0 + other.lines.0, self.lines.1 + other.lines.1);
        self.branches = (self.branches.0 + other.branches.0, self.branches.1 + other.branches.1);
    }

    fn print(&self, name: &str) {
        let cell = |(hit, found)| format!("{:6.2} % ({hit}/{found})", percent((hit, found)));
        println!("{name:44} lines {:20} branches {}", cell(self.lines), cell(self.branches));
    }
}

/// Measures, prints, and fails below the least.
pub fn measure(tools: &Tools, root: &Path) -> Result<()> {
    let report = root.join("contracts/out/coverage/lcov.info");
    let folder = report.parent().context("the report is in no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // Coverage is measured without the optimizer: the size and the gas of the code are others then.
    let status = forge::command(tools, root)
        .env("FOUNDRY_OUT", "contracts/out/coverage")
        .env("FOUNDRY_CACHE_PATH", "contracts/cache/coverage")
        .env("FOUNDRY_FUZZ_RUNS", "32")
        .args(["coverage", "--quiet", "--report", "lcov", "--report-file"])
        .arg(&report)
        .args(["--no-match-path", "contracts/test/invariant/*", "--no-match-test", "TheRuntimeIsSmall"])
        .status()
        .context("starting forge")?;
    ensure!(status.success(), "forge coverage failed: a test fails without the optimizer, see forge coverage -vv");

    let report = std::fs::read_to_string(&report).with_context(|| format!("reading {}", report.display()))?;
    let mut total = Counts::default();
    for (name, counts) in files(&report)? {
        counts.print(&name);
        total.add(&counts);
    }
    total.print("total");
    ensure!(total.lines.1 > 0, "the report tells of no line of contracts/src");
    ensure!(percent(total.lines) >= LEAST_LINES, "fewer than {LEAST_LINES} % of the lines are reached");
    ensure!(percent(total.branches) >= LEAST_BRANCHES, "fewer than {LEAST_BRANCHES} % of the branches are reached");
    Ok(())
}

/// The files of contracts/src that an lcov report tells of. `SF` begins a file, `LF` and `LH` are its lines and how many
/// were reached, `BRF` and `BRH` its branches.
fn files(report: &str) -> Result<Vec<(String, Counts)>> {
    let mut files: Vec<(String, Counts)> = Vec::new();
    for line in report.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if key == "SF" {
            files.push((value.to_owned(), Counts::default()));
            continue;
        }
        let Some((_, counts)) = files.last_mut() else { continue };
        let place = match key {
            "LF" => &mut counts.lines.1,
            "LH" => &mut counts.lines.0,
            "BRF" => &mut counts.branches.1,
            "BRH" => &mut counts.branches.0,
            _ => continue,
        };
        *place = value.parse().with_context(|| format!("lcov says {line}"))?;
    }
    files.retain(|(name, _)| name.starts_with("contracts/src/"));
    Ok(files)
}

fn percent((hit, found): (u32, u32)) -> f64 {
    if found == 0 { 100.0 } else { 100.0 * f64::from(hit) / f64::from(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted_by_file_and_only_our_sources_count() {
        let report = "TN:\nSF:contracts/src/A.sol\nDA:1,2\nLF:4\nLH:3\nBRF:2\nBRH:1\nend_of_record\n\
                      SF:contracts/test/B.sol\nLF:9\nLH:0\nend_of_record\n";
        let files = files(report).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].0, "contracts/src/A.sol");
        assert_eq!(files[0].1.lines, (3, 4));
        assert_eq!(files[0].1.branches, (1, 2));
        assert!((percent(files[0].1.lines) - 75.0).abs() < 1e-9);
    }
}
