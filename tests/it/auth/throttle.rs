//! Whoever guesses is slowed down, and nobody else.

use super::{RESOURCES, bearer, read};
use crate::server;
use std::time::Duration;
use tidings::auth::{Algorithm, Claims, Mint, Secret, Settings};
use tidings::event::Timestamp;
use tokio::time::Instant;

/// Sooner than any answer that is held back.
const SOON: Duration = Duration::from_millis(900);

#[tokio::test]
async fn guesses_are_answered_later_and_later_and_a_good_token_at_once() {
    let auth =
        "[auth]\nthrottle = { failures = 3, longest = \"1500ms\" }\njwt = { algorithm = \"HS256\", secret = \"s\" }";
    let app = server::start(&format!("{RESOURCES}{auth}")).await;
    let lifetime = Duration::from_secs(60);
    let claims = Claims { subject: "ann".to_owned(), lifetime, ..Claims::default() };
    let mint = Mint::new(&Settings::new(Algorithm::default(), Secret::new("s"))).expect("a secret");
    let good = mint.sign(&claims, Timestamp::now().0 / 1000).expect("a token");

    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        assert_eq!(read(&app, "/api/nodes", "guess").await.status(), 401);
        fastest = fastest.min(started.elapsed());
    }
    assert!(fastest < SOON, "the first are told at once");
    let guesses = (0..30).map(|number| {
        let app = &app;
        async move {
            let started = Instant::now();
            let status = match number % 2 {
                0 => read(app, "/api/nodes", "guess").await.status().as_u16(),
                _ => bearer(app, "/nodes", "guess").await.err().expect("no upgrade"),
            };
            (status, started.elapsed())
        }
    });
    let honest = async {
        let mut fastest = Duration::MAX;
        for _ in 0..10 {
            let started = Instant::now();
            assert_eq!(read(&app, "/api/nodes", &good).await.status(), 200);
            bearer(&app, "/nodes", &good).await.expect("an upgrade");
            fastest = fastest.min(started.elapsed());
        }
        assert!(fastest < SOON, "a good one does not wait");
    };
    let (guesses, ()) = tokio::join!(futures_util::future::join_all(guesses), honest);
    let late: Vec<_> = guesses.iter().filter(|(status, _)| *status == 401).collect();
    assert!((1..=12).contains(&late.len()), "{guesses:?}");
    assert!(late.iter().all(|(_, time)| *time >= Duration::from_millis(990)), "{guesses:?}");
    assert!(guesses.iter().all(|(status, _)| matches!(status, 401 | 429)), "{guesses:?}");
    let busy = guesses.iter().filter(|(status, _)| *status == 429).count();
    assert_eq!(busy + late.len(), 30);
    app.stop().await;
}
