//! What stands around every request costs: the same endpoint, which does nothing, with and without them.
//!
//! See `README.md` beside this file.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, test, web};
use criterion::{Criterion, criterion_group, criterion_main};
use jotsmith::http::accompany;
use jotsmith::telemetry;

async fn nothing() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn measure(criterion: &mut Criterion) {
    let recorder = telemetry::metrics::start();
    let system = actix_web::rt::System::new();
    let mut group = criterion.benchmark_group("a request that does nothing");
    let plain = system.block_on(test::init_service(App::new().route("/token", web::get().to(nothing))));
    group.bench_function("alone", |bencher| {
        bencher
            .iter(|| system.block_on(test::call_service(&plain, test::TestRequest::get().uri("/token").to_request())));
    });
    let app = App::new().route("/token", web::get().to(nothing)).wrap(from_fn(accompany));
    let measured = system.block_on(test::init_service(app));
    group.bench_function("with metrics", |bencher| {
        bencher.iter(|| {
            system.block_on(test::call_service(&measured, test::TestRequest::get().uri("/token").to_request()))
        });
        recorder.run_upkeep();
    });
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
