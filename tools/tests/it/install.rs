use std::{fs, path::Path, process::Stdio};

use tools::Tools;

use super::helper;

/// What the process said in the end, on stdout.
fn install(dir: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = helper::command("install");
    command.env("ROLLCALL_TOOLS_DIR", dir).envs(environment.iter().copied());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn the_tools_of_the_checkout_are_there() {
    let tools = Tools::ensure().unwrap();
    assert!(tools.dir().join("package-lock.json").is_file());
    assert!(tools.node_modules().join("solc/package.json").is_file());
    for path in [tools.anvil(), tools.forge(), &tools.postgres_bin().join("initdb")] {
        assert!(path.is_file(), "{}", path.display());
    }
}

/// With npm's install scripts off, so that the links of PostgreSQL's libraries are left to us.
#[test]
fn of_two_processes_one_installs_and_a_third_finds_it_done() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = helper::command("install");
        command
            .env("ROLLCALL_TOOLS_DIR", dir.path())
            .env("npm_config_ignore_scripts", "true")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start()].map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    assert!(both.iter().all(|said| said.contains("\nready ")), "{both:?}");
    assert_eq!(both.iter().filter(|said| said.contains("progress installing")).count(), 1, "{both:?}");

    let third = install(dir.path(), &[("PATH", "")]);
    assert!(third.contains("\nready ") && !third.contains("progress"), "{third}");

    // A changed lock file, or a program that is gone, installs again.
    fs::write(dir.path().join(".stamp"), "old").unwrap();
    let without_npm = install(dir.path(), &[("PATH", "")]);
    assert!(without_npm.contains("failed node was not found: install Node.js"), "{without_npm}");
}

#[test]
fn an_old_node_and_a_failing_npm_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = dir.path().to_str().unwrap();
    let folder = dir.path().join("tools");

    program("node", "echo v18.20.4");
    let old = install(&folder, &[("PATH", path)]);
    assert!(old.contains("failed Node.js v18.20.4 is too old: install Node.js ≥ 20"), "{old}");

    program("node", "echo v20.1.0");
    let missing = install(&folder, &[("PATH", path)]);
    assert!(missing.contains("failed npm was not found"), "{missing}");

    program("npm", "echo npm error network >&2; exit 1");
    let failing = install(&folder, &[("PATH", path)]);
    assert!(failing.contains("`npm ci` failed") && failing.contains("npm error network"), "{failing}");
    assert!(!folder.join(".stamp").exists());
}
