//! The files that say who may ask: how they are written, read, and read again.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::AccessError;

fn start(rules: &AccessRules, listen: &str) -> Result<Access, AccessError> {
    Access::new(rules, listen.parse().expect("an address"), ManualClock::new())
}

#[test]
fn an_address_that_strangers_reach_needs_a_word() {
    let none = AccessRules::default();
    for listen in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(start(&none, listen).expect("open").is_public());
    }
    for listen in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:192.0.2.1]:1"] {
        let error = start(&none, listen).expect_err("unguarded").to_string();
        for word in [listen, "--keys FILE", "--jwks FILE", "--public"] {
            assert!(error.contains(word), "{error}");
        }
    }
    let public = AccessRules { public: true, ..AccessRules::default() };
    assert!(start(&public, "0.0.0.0:1").expect("public").is_public());
    let guarded = Guarded::new();
    let keys = AccessRules { keys: Some(guarded.path()), ..AccessRules::default() };
    assert!(!start(&keys, "0.0.0.0:1").expect("guarded").is_public());
    assert!(!start(&keys, "127.0.0.1:1").expect("guarded").is_public());
    let both = AccessRules { public: true, ..keys };
    assert!(matches!(start(&both, "0.0.0.0:1"), Err(AccessError::PublicWithRules)));
}

#[test]
fn a_file_that_is_broken_or_not_there_keeps_the_gateway_from_starting() {
    let guarded = Guarded::new();
    let path = guarded.path();
    let rules = AccessRules { keys: Some(path.clone()), ..AccessRules::default() };
    let (id, hash) = ("0123456789ab", "0".repeat(64));
    let entry =
        format!("[[key]]\nid = \"{id}\"\nname = \"n\"\nhash = \"{hash}\"\ncreated_at = \"2026-01-01T00:00:00Z\"\n");
    let certificate = "[[certificate]]\nname = \"c\"\n";
    for (text, reason) in [
        ("key".to_owned(), "line 1"),
        (format!("{entry}extra = 1\n"), "line 6: unknown field `extra`"),
        ("[[keys]]\n".into(), "unknown field `keys`"),
        (format!("{entry}{entry}"), "is there twice"),
        (entry.replace(id, "0123456789AB"), "an id is 12 hexadecimal digits"),
        (entry.replace(&hash, "12"), "a hash is 64 hexadecimal digits"),
        (entry.replace("\"n\"", "\"\""), "a name has 1 to 100 characters"),
        (format!("{entry}namespaces = []\n"), "namespaces is empty"),
        (format!("{entry}namespaces = [\"Acme\"]\n"), "Acme"),
        (format!("{entry}rate = \"0/s\"\n"), "a rate is 1/s to 1000000/s"),
        (format!("{entry}rate = \"+5/s\"\n"), "a rate is"),
        (format!("{entry}expires_at = \"soon\"\n"), "line 6"),
        (certificate.into(), "give one of fingerprint, uri, dns and common_name"),
        (format!("{certificate}dns = \"a\"\nuri = \"b\"\n"), "give one of"),
        (format!("{certificate}fingerprint = \"12\"\n"), "64 hexadecimal digits"),
        (format!("{certificate}dns = \"a\"\n{certificate}dns = \"A\"\n"), "known by the same"),
    ] {
        fs::write(&path, &text).expect("written");
        let error = start(&rules, "127.0.0.1:1").expect_err("broken").to_string();
        assert!(error.starts_with(&path.display().to_string()) && error.contains(reason), "{text}: {error}");
    }
    fs::remove_file(&path).expect("removed");
    assert!(start(&rules, "127.0.0.1:1").is_err());
    fs::write(&path, &entry).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("changed");
    assert!(start(&rules, "127.0.0.1:1").expect_err("open to all").to_string().contains("chmod o-w"));
}

#[tokio::test]
async fn a_new_file_counts_and_a_broken_one_does_not() {
    let guarded = Guarded::new();
    let key = guarded.key(NewKey::default());
    let good = fs::read_to_string(guarded.path()).expect("read");
    for broken in [Some("nonsense"), Some("[[key]]\nid = 1\n"), None] {
        match broken {
            Some(text) => fs::write(guarded.path(), text).expect("written"),
            None => fs::remove_file(guarded.path()).expect("removed"),
        }
        guarded.world.access.refresh();
        assert_eq!(guarded.get_as(&key, PAYMENTS).await.status, 200, "{broken:?}");
    }
    // As long as the good one, and made at the same time: it is read all the same.
    let changed = good.replace(key.id(), "000000000000");
    fs::write(guarded.path(), &changed).expect("written");
    guarded.world.access.refresh();
    guarded.get_as(&key, PAYMENTS).await.unauthorized();
    fs::write(guarded.path(), good).expect("written");
    guarded.world.access.refresh();
    assert_eq!(guarded.get_as(&key, PAYMENTS).await.status, 200);
}

#[test]
fn the_file_is_for_its_user_alone_and_holds_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.toml");
    let file = KeysFile::at(&path);
    let new = NewKey { name: "a \"quoted\" name".into(), namespaces: labels(&["acme"]), ..NewKey::default() };
    let key = file.create(&new, Duration::from_secs(1_700_000_000)).expect("a key");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("read");
    assert!(!text.contains(&key.expose()[17..]), "{text}");
    assert!(text.starts_with("# Who may ask a gateway.") && text.contains("\n\n[[key]]\n"), "{text}");
    let [info] = file.list().expect("a list").try_into().expect("one key");
    assert_eq!((info.id.as_str(), info.name.as_str()), (key.id(), "a \"quoted\" name"));
    assert_eq!(info.namespaces, Some(vec!["acme".to_owned()]));
    assert_eq!(info.created_at.unix_timestamp(), 1_700_000_000);
    assert!(!format!("{info:?} {key:?}").contains(&key.expose()[17..]));
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1, "nothing else is left there");
}

#[test]
fn what_people_wrote_into_the_file_stays() {
    let guarded = Guarded::new();
    let own = "# mine\n[[certificate]] # theirs\nname = \"c\"\ndns = \"c.example\"\n\n# the end\n";
    fs::write(guarded.path(), own).expect("written");
    let link = guarded.folder.path().join("link.toml");
    symlink(guarded.path(), &link).expect("a link");
    let file = KeysFile::at(&link);
    let key = file.create(&NewKey { name: "k".into(), ..NewKey::default() }, Duration::ZERO).expect("a key");
    let other = file.create(&NewKey { name: "l".into(), ..NewKey::default() }, Duration::ZERO).expect("a key");
    let revoked = file.revoke(key.id(), Duration::from_secs(5)).expect("revoked");
    assert_eq!(revoked.revoked_at.map(|at| at.unix_timestamp()), Some(5));
    assert_eq!(file.revoke(key.id(), Duration::from_secs(9)).expect("still revoked"), revoked);
    let text = fs::read_to_string(guarded.path()).expect("read");
    assert!(text.starts_with(own), "{text}");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(fs::metadata(guarded.path()).expect("there").nlink(), 1);
    let ids: Vec<_> = file.list().expect("a list").into_iter().map(|key| (key.id, key.revoked_at.is_some())).collect();
    assert_eq!(ids, [(key.id().to_owned(), true), (other.id().to_owned(), false)]);
    let error = file.revoke("ffffffffffff", Duration::ZERO).expect_err("no such key");
    assert!(matches!(error, AccessError::NoSuchKey { .. }));
    // A file that is broken is not made worse.
    fs::write(guarded.path(), "[[key]]\nid = 1\n").expect("written");
    assert!(file.create(&NewKey { name: "k".into(), ..NewKey::default() }, Duration::ZERO).is_err());
    assert_eq!(fs::read_to_string(guarded.path()).expect("read"), "[[key]]\nid = 1\n");
}

#[test]
fn no_key_is_lost_when_many_are_made_at_once() {
    let guarded = Guarded::new();
    std::thread::scope(|scope| {
        for name in 0..8 {
            let file = guarded.file();
            let new = NewKey { name: name.to_string(), ..NewKey::default() };
            scope.spawn(move || file.create(&new, Duration::ZERO).expect("a key"));
        }
    });
    assert_eq!(guarded.file().list().expect("a list").len(), 8);
}
