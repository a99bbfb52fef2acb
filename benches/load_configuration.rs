//! How long a configuration with many clients takes to read and to judge: what a start and a reload take.
//!
//! See `README.md` beside this file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jotsmith::clients::ClientSecretHash;
use jotsmith::config::Environment;
use jotsmith::startup::Source;

/// Clients of three kinds, as a person would write them.
fn clients(count: usize) -> String {
    let mut text = "issuer = \"https://login.example.com\"\n".to_owned();
    for number in 0..count {
        let secret = ClientSecretHash::of_generated(format!("secret of {number}").as_bytes());
        let written = match number % 3 {
            0 => write!(
                text,
                "[[clients]]\nclient_id = \"machine-{number}\"\nclient_secrets = [\"{secret}\"]\n\
                 grant_types = [\"client_credentials\"]\nresponse_types = []\nscope = \"read write\"\n\n"
            ),
            1 => write!(
                text,
                "[[clients]]\nclient_id = \"web-{number}\"\nclient_name = \"Web application {number}\"\n\
                 client_secrets = [\"{secret}\"]\nredirect_uris = [\"https://client-{number}.example.com/cb\"]\n\
                 grant_types = [\"authorization_code\", \"refresh_token\"]\nscope = \"read write\"\n\
                 claims = {{ tenant = \"tenant-{number}\" }}\n\n"
            ),
            _ => write!(
                text,
                "[[clients]]\nclient_id = \"native-{number}\"\nclient_name = \"App {number}\"\n\
                 token_endpoint_auth_method = \"none\"\napplication_type = \"native\"\n\
                 redirect_uris = [\"http://127.0.0.1/cb\", \"com.example.app{number}:/cb\"]\n\
                 grant_types = [\"authorization_code\", \"refresh_token\"]\nscope = \"read\"\n\n"
            ),
        };
        written.expect("memory");
    }
    text
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load a configuration");
    group.sample_size(10);
    for count in [10_000, 100_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("clients.toml");
        fs::write(&file, clients(count)).expect("a file");
        let environment = Environment {
            variables: BTreeMap::new(),
            working_directory: folder.path().to_owned(),
            system_directory: PathBuf::from("/nonexistent"),
            ..Environment::default()
        };
        let source = Source { files: vec![file], environment };
        group.bench_with_input(BenchmarkId::new("clients", count), &source, |bencher, source| {
            bencher.iter_with_large_drop(|| {
                let settings = source.load().unwrap_or_else(|errors| panic!("{errors}"));
                assert_eq!(settings.clients.iter().count(), count);
                black_box(settings)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
