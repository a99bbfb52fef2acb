//! A disk that becomes full.

use std::path::Path;
use std::time::{Duration, Instant};

use jotsmith::tokens::store::GrantStore as _;

use super::filled::{grant, open, runtime};

/// Fills the disk of the folder, and shows what is answered then and once somebody has made room.
pub(crate) fn report(root: &Path, seconds: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    let (store, _) = open(&data);
    let (runtime, begun) = (runtime(), Instant::now());
    let (mut number, mut answered, mut said) = (0, Vec::new(), String::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        let grant = grant(number);
        number += 1;
        let now = match runtime.block_on(store.put_grant(grant.clone())) {
            Ok(()) => {
                answered.push(grant.id);
                "answered".to_owned()
            }
            Err(refused) => {
                std::thread::sleep(Duration::from_millis(50));
                refused.to_string()
            }
        };
        if now != said {
            println!("{:6.1} s, {} answered so far: {now}", begun.elapsed().as_secs_f64(), answered.len());
            said = now;
        }
    }
    drop(store);
    let (store, _) = open(&data);
    let lost =
        answered.iter().filter(|id| runtime.block_on(store.read_grant(**id)).expect("answered").is_none()).count();
    println!("{} were answered, {lost} of them are lost", answered.len());
}
