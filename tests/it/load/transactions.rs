//! Writers in Postgres: transactions that overlap, fail, and take long. The database keeps the history.

use crate::load::Load;
use crate::model::History;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;
use tokio::time::sleep;
use tokio_postgres::{Client, Error, NoTls};

/// Writers of short transactions.
const WRITERS: usize = 8;

/// Rows that writers change in turn, and those of the long transactions.
const ROWS: usize = 40;
const SLOW_ROWS: usize = 3;

/// The longest transaction.
const LONG: Duration = Duration::from_secs(3);

/// `step` makes one change of a row and notes it in the same transaction; who holds the counter may change
/// the row, so versions have no gap.
const TABLES: &str = "
    create table rows (id text primary key, version int8 not null, state text not null, note jsonb);
    create table counters (id text primary key, version int8 not null);
    create table history (id text, version int8, document jsonb, primary key (id, version));
    create function step(of text, dice float8) returns void language plpgsql as $$
    declare next int8;
    begin
        update counters set version = version + 1 where id = of returning version into next;
        if not exists (select from rows where id = of) then
            insert into rows values (of, next, case when dice < 0.5 then 'on' else 'off' end, '{\"fresh\": true}');
        elsif dice < 0.15 then
            delete from rows where id = of;
        else
            update rows set version = next, state = case when dice < 0.6 then 'on' else 'off' end,
                note = jsonb_build_object('dice', dice::text, 'list', jsonb_build_array(next, next % 3))
                where id = of;
        end if;
        insert into history values (of, next, (select to_jsonb(row) from rows row where id = of));
    end $$;";

/// A configuration that serves the rows of a database, whose changes are captured this way.
pub fn configuration(url: &str, capture: &str) -> String {
    format!(
        "[sources.pg]\nurl = {url:?}\ncapture = {capture:?}\ninstall = true\n\
         [resources.rows]\nsource = \"pg\"\ntable = \"public.rows\"\n"
    )
}

/// Makes the tables, with most of the rows in them.
pub async fn prepare(client: &Client) {
    client.batch_execute(TABLES).await.expect("the tables are made");
    for number in 0..ROWS {
        let id = format!("r{number}");
        client.execute("insert into counters values ($1, 0)", &[&id]).await.expect("a counter");
        if number % 4 != 0 {
            client.execute("select step($1, 0.3)", &[&id]).await.expect("a row");
        }
    }
    for number in 0..SLOW_ROWS {
        client.execute("insert into counters values ($1, 0)", &[&format!("s{number}")]).await.expect("a counter");
    }
}

/// Everything that was ever committed.
pub async fn history(client: &Client) -> History {
    let rows = client.query("select id, version, document from history order by id, version", &[]).await;
    let mut history = History::new();
    for row in rows.expect("the history") {
        history.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    history
}

/// Returns once another connection waits for a lock.
pub async fn until_somebody_waits(client: &Client) {
    let waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    while client.query(waiting, &[]).await.expect("an answer").is_empty() {
        // Within a transaction the view stays as it was first seen.
        client.execute("select pg_stat_clear_snapshot()", &[]).await.expect("an answer");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Writers in short transactions, and a last one in long ones. They come back when their connection is lost.
pub fn start(url: &str) -> Load {
    let url = url.to_owned();
    Load::start(0..=WRITERS, move |number, stop| {
        let url = url.clone();
        async move {
            let mut rng = StdRng::seed_from_u64(number as u64);
            while !stop.is_asked() {
                let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await else {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                };
                tokio::spawn(connection);
                while !stop.is_asked() {
                    let done = match number == WRITERS {
                        true => long(&client, &mut rng).await,
                        false => short(&client, &mut rng).await,
                    };
                    if let Err(error) = done {
                        // The server's last word may come just before the connection ends.
                        assert!(client.is_closed() || is_goodbye(&error), "{error:?}");
                        break;
                    }
                }
            }
            History::new()
        }
    })
}

/// Whether an error is that the server, or somebody else, ends the connection (class 57).
fn is_goodbye(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("57"))
}

/// A few changes, with pauses between them, some of them taken back.
async fn short(client: &Client, rng: &mut StdRng) -> Result<(), Error> {
    let mut numbers: Vec<usize> = (0..rng.random_range(1..4)).map(|_| rng.random_range(0..ROWS)).collect();
    // In one order, so that no two transactions wait for each other.
    numbers.sort_unstable();
    client.batch_execute("begin").await?;
    for number in numbers {
        let id = format!("r{number}");
        client.execute("select step($1, $2)", &[&id, &rng.random::<f64>()]).await?;
        if rng.random_bool(0.3) {
            client.batch_execute("savepoint here").await?;
            client.execute("select step($1, $2)", &[&id, &rng.random::<f64>()]).await?;
            let end = if rng.random_bool(0.5) { "rollback to here" } else { "release here" };
            client.batch_execute(end).await?;
        }
        sleep(Duration::from_millis(rng.random_range(0..40))).await;
    }
    client.batch_execute(if rng.random_bool(0.15) { "rollback" } else { "commit" }).await?;
    sleep(Duration::from_millis(rng.random_range(0..60))).await;
    Ok(())
}

/// A change that stays open while hundreds of others come and go.
async fn long(client: &Client, rng: &mut StdRng) -> Result<(), Error> {
    client.batch_execute("begin").await?;
    let id = format!("s{}", rng.random_range(0..SLOW_ROWS));
    client.execute("select step($1, $2)", &[&id, &rng.random::<f64>()]).await?;
    sleep(LONG).await;
    client.batch_execute("commit").await
}
