//! Anvil's development accounts: everybody knows their keys, and Anvil gives them ether.

use anyhow::Result;
use client::Key;

/// Who uses an account in the world of `up`, and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Who uses it: `deployer`, or the namespace that it owns.
    pub name: &'static str,
    /// Its public development key.
    pub private_key: &'static str,
}

/// The first ones of "test test test test test test test test test test test junk".
pub const ACCOUNTS: [Account; 4] = [
    Account { name: "deployer", private_key: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80" },
    Account { name: "acme", private_key: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d" },
    Account { name: "globex", private_key: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a" },
    Account { name: "initech", private_key: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6" },
];

impl Account {
    /// The account of this name.
    pub fn of(name: &str) -> Result<Self> {
        let account = ACCOUNTS.into_iter().find(|account| account.name == name);
        account.ok_or_else(|| anyhow::anyhow!("no development account is called {name}"))
    }

    /// Its key.
    pub fn key(&self) -> Result<Key> {
        Ok(Key::from_hex(self.private_key)?)
    }
}
