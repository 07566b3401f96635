//! The table of pushes: what SQL code queues, and what nodes tell each other by it.

use super::{Member, number, push};
use crate::postgres::Database;
use crate::socket::PATIENCE;
use std::sync::Arc;
use std::time::Duration;
use tidings::postgres::address::Address;
use tidings::postgres::push as installation;
use tidings::relay::postgres::{Reader, Times, Writer};
use tidings::relay::{Kind, Push, Relay};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

/// A database with the table.
pub(super) async fn prepared() -> Option<(Database, Client)> {
    let database = Database::create().await?;
    let client = database.client().await;
    installation::install(&client).await.expect("it is installed");
    Some((database, client))
}

impl Member {
    /// A node that reads and writes the table.
    pub(super) async fn at(database: &Database, times: Times) -> Member {
        let mut member = Member::of("room");
        let address = Address::parse(&database.url()).expect("an address");
        let now = database.client().await.query_one("select pg_current_snapshot()::text", &[]).await;
        let reader = Reader::new(
            address.clone(),
            member.name.clone(),
            now.expect("a snapshot").get(0),
            member.ears.clone(),
            member.metrics.clone(),
            times,
        );
        member.keep("reader", reader);
        let writer = Writer::new(address, member.name.clone(), member.waiting.clone());
        member.keep("writer", writer);
        member
    }
}

const ROOM: &str = "select tidings.notify_channels('{room}', $1::text::jsonb)";

#[tokio::test]
async fn what_sql_code_pushes_is_told_at_its_commit_and_not_on_rollback() {
    let Some((database, mut client)) = prepared().await else { return };
    let mut node = Member::at(&database, Times::default()).await;
    let transaction = client.transaction().await.expect("it begins");
    transaction.execute(ROOM, &[&"{\"rolled\": \"back\"}"]).await.expect("it is queued");
    transaction.rollback().await.expect("it is rolled back");
    let transaction = client.transaction().await.expect("it begins");
    transaction.execute(ROOM, &[&"{\"first\": 1.0}"]).await.expect("it is queued");
    transaction.execute(ROOM, &[&"{\"second\": 2}"]).await.expect("it is queued");
    let other = database.client().await;
    other.execute(ROOM, &[&"{\"meanwhile\": true}"]).await.expect("it is queued");
    assert_eq!(node.data().await, "{\"meanwhile\": true}");
    transaction.commit().await.expect("it is committed");
    assert_eq!([node.data().await, node.data().await], ["{\"first\": 1.0}", "{\"second\": 2}"]);
    node.stop().await;
}

#[tokio::test]
async fn a_trigger_pushes_and_what_it_pushes_goes_with_the_row() {
    let Some((database, client)) = prepared().await else { return };
    let trigger = "create table orders (id int primary key); \
        create function told() returns trigger language plpgsql as $$ begin \
            perform tidings.notify_channels(array['room', 'other'], jsonb_build_object('order', new.id)); return new; end $$; \
        create trigger told after insert on orders for each row execute function told()";
    client.batch_execute(trigger).await.expect("a trigger");
    let mut node = Member::at(&database, Times::default()).await;
    client.batch_execute("begin; insert into orders values (1); rollback").await.expect("it is rolled back");
    client.batch_execute("insert into orders values (2), (3)").await.expect("they are inserted");
    client.execute("insert into orders values (3)", &[]).await.expect_err("it is there already");
    client.batch_execute("insert into orders values (4)").await.expect("it is inserted");
    for order in [2, 3, 4] {
        let push = node.hear().await;
        assert_eq!((push.kind, &*push.data), (Kind::Channel, &*format!("{{\"order\": {order}}}")));
        assert_eq!(push.ids, ["room".into(), "other".into()]);
    }
    node.stop().await;
}

#[tokio::test]
async fn users_and_clients_are_pushed_to_and_oneself_only_where_there_is_a_socket() {
    let Some((database, client)) = prepared().await else { return };
    let mut node = Member::at(&database, Times::default()).await;
    let user =
        "select tidings.notify_users(array['N:room:672B35CEC309E5EF8469C372', 'n::000000000000000000000001'], '{}')";
    client.batch_execute(user).await.expect("references in every form");
    client.batch_execute("select tidings.notify_self('{\"nobody\": 1}')").await.expect("it does nothing");
    client.batch_execute("select tidings.notify_channels('{}', '{\"nobody\": 1}')").await.expect("it does nothing");
    let count = client.query_one("select count(*) from tidings.push", &[]).await.expect("a count");
    assert_eq!(count.get::<_, i64>(0), 1);
    let own = "begin; set local tidings.client_id = 'room'; select tidings.notify_self('{\"own\": 1}'); commit";
    client.batch_execute(own).await.expect("it is queued");
    let push = node.hear().await;
    assert_eq!((push.kind, push.ids, &*push.data), (Kind::Client, vec!["room".into()], "{\"own\": 1}"));
    node.stop().await;
}

#[tokio::test]
async fn what_is_no_reference_or_no_object_is_refused_where_it_is_pushed() {
    let Some((_database, client)) = prepared().await else { return };
    for (call, sentence) in [
        ("notify_users(array['n::000000000000000000000001', 'zzz'], '{}')", "[zzz] is not a valid reference!"),
        ("notify_channels(array['a'], '[1]')", "data must be a JSON object"),
        ("notify_clients(array['a'], null)", "data must be a JSON object"),
        ("notify_self('\"text\"')", "data must be a JSON object"),
    ] {
        let error = client.batch_execute(&format!("select tidings.{call}")).await.expect_err(call);
        let error = error.as_db_error().expect("an answer");
        assert_eq!((error.code().code(), error.message()), ("P0001", sentence), "{call}");
    }
}

#[tokio::test]
async fn r7_a_broken_row_stops_nothing() {
    let Some((database, client)) = prepared().await else { return };
    let mut node = Member::at(&database, Times::default()).await;
    client.batch_execute("alter table tidings.push drop constraint push_kind_check").await.expect("anything may come");
    for row in [
        "'channel', '{room}', 'nonsense'",
        "'channel', '{room}', '[1]'",
        "'channel', '{room}', ''",
        "'everybody', '{room}', '{}'",
        "'channel', '{{room, a}, {room, b}}', '{}'",
        "'channel', array['room', null], '{\"last\": 1}'",
    ] {
        let insert = format!("insert into tidings.push (kind, ids, data) values ({row})");
        client.batch_execute(&insert).await.expect(row);
    }
    assert_eq!(node.data().await, "{\"last\": 1}");
    assert_eq!(node.metrics.relay_dropped("unreadable").get(), 5);
    node.stop().await;
}

#[tokio::test]
async fn nodes_tell_each_other_once_and_in_order_and_themselves_not() {
    let Some((database, client)) = prepared().await else { return };
    let mut nodes = [Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await];
    for node in &nodes {
        (0..1200).for_each(|next| node.waiting.hand_over(push("room", &number(next))));
    }
    for node in &mut nodes {
        for next in 0..1200 {
            assert_eq!(node.data().await, number(next));
        }
        node.flush().await;
    }
    client.execute(ROOM, &[&"{\"end\": 1}"]).await.expect("it is queued");
    for mut node in nodes {
        assert_eq!(node.data().await, "{\"end\": 1}", "nothing came twice");
        node.stop().await;
    }
}

#[tokio::test]
async fn ids_and_data_arrive_as_they_were_and_what_cannot_be_stored_keeps_nothing_else() {
    let Some((database, _client)) = prepared().await else { return };
    let (here, mut there) =
        (Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await);
    let odd = "{\"b\":1.0,  \"a\":\"\\u0000\\\\\", \"c\": \"\u{1F600}\", \"n\": 123456789012345678901234567890}";
    let ids: Vec<Arc<str>> = ["room", "", "{a,b}", "\"", "\\", "NULL", "ü\u{1F600}"].map(Arc::from).to_vec();
    let pushes = [
        push("room", "{\"before\":1}"),
        Push { kind: Kind::Client, ids: vec!["room".into(), "a\0b".into()], data: "{}".into() },
        Push { kind: Kind::User, ids, data: odd.into() },
    ];
    pushes.iter().for_each(|push| here.waiting.hand_over(push.clone()));
    assert_eq!(there.hear().await, pushes[0]);
    assert_eq!(there.hear().await, pushes[2]);
    here.flush().await;
    assert_eq!(here.metrics.relay_dropped("unwritable").get(), 1);
    here.stop().await;
    there.stop().await;
}

#[tokio::test]
async fn old_rows_are_deleted_but_none_that_was_committed_just_now() {
    let Some((database, client)) = prepared().await else { return };
    let times = Times { keep: Duration::from_millis(200), purge: Duration::from_secs(2), ..Times::default() };
    let times = Times { poll: Duration::from_millis(100), ..times };
    let mut late = database.client().await;
    let open = late.transaction().await.expect("it begins");
    open.execute(ROOM, &[&"{\"late\": 1}"]).await.expect("it is queued");
    client.execute(ROOM, &[&"{\"old\": 1}"]).await.expect("it is queued");
    let node = Member::at(&database, times).await;
    let left = async || -> Vec<String> {
        let rows = client.query("select data from tidings.push order by id", &[]).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let until = async |wanted: &[&str]| {
        let end = Instant::now() + PATIENCE;
        while left().await != wanted {
            assert!(Instant::now() < end, "{:?} is left, not {wanted:?}", left().await);
            sleep(Duration::from_millis(10)).await;
        }
    };
    until(&[]).await;
    // A deletion has just been; the next but one is the first that may take what is committed now.
    open.commit().await.expect("it is committed");
    let committed = Instant::now();
    until(&[]).await;
    assert!(committed.elapsed() > times.purge, "whoever is a moment late can read it");
    node.stop().await;
}
