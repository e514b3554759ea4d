//! Tells Cargo that a new migration changes this crate: `sqlx::migrate!` reads the folder when it is compiled.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
