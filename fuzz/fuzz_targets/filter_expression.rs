//! Any text is read as a filter expression or refused, and what is read is printed so that it is read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(printed) = gateway::canonical_filter(text) {
        match gateway::canonical_filter(&printed) {
            Ok(again) => assert_eq!(printed, again, "{text:?}"),
            Err(reason) => assert!(printed.len() > 1_024, "{text:?} is printed as {printed:?}: {reason}"),
        }
    }
});
