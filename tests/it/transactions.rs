//! Transactions of the stores, with the same promises whatever the store is.

use crate::postgres::Database;
use crate::postgres_parts::binding;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::document::Document;
use tidings::error::{Kind, Result};
use tidings::event::{Operation, Stamp};
use tidings::filter::{Filter, Path};
use tidings::postgres::address::Address;
use tidings::query::Query;
use tidings::resource::Resource;
use tidings::store::Store;
use tidings::store::embedded::Embedded;
use tidings::store::postgres::{PostgresStore, Settings};
use tidings::store::transaction::{Intent, Lock};
use tokio::task::JoinSet;

/// A store with the resources `accounts` and `lines`.
struct World {
    store: Arc<dyn Store>,
    accounts: Resource,
    lines: Resource,
    _kept: Box<dyn Send + Sync>,
}

fn resource(name: &str) -> Resource {
    Resource { hide: vec!["secret".into()], key: vec!["key".into()], ..Resource::named(name) }
}

fn world(store: Arc<dyn Store>, kept: impl Send + Sync + 'static) -> World {
    World { store, accounts: resource("accounts"), lines: resource("lines"), _kept: Box::new(kept) }
}

/// Every store that has transactions; Postgres where there is one.
async fn worlds() -> Vec<World> {
    let directory = tempfile::tempdir().expect("a directory");
    let on_disk = Embedded::open(Some(directory.path())).expect("a store");
    let mut worlds = vec![world(Embedded::open(None).expect("a store"), ()), world(on_disk, directory)];
    if let Some(database) = Database::create().await {
        let client = database.client().await;
        let tables = "create table accounts (key text primary key, amount bigint not null, secret text, extra jsonb); \
                      create table lines (key text primary key, seq bigint generated always as identity, \
                      amount bigint not null default 7, unique (amount));";
        client.batch_execute(tables).await.expect("tables");
        let bindings = vec![binding("accounts", "accounts"), binding("lines", "lines")];
        let address = Address::parse(&database.url()).expect("an address");
        let store = PostgresStore::new(&address, Settings::new(bindings)).expect("a store");
        worlds.push(world(Arc::new(store), database));
    }
    worlds
}

fn all(filter: Filter) -> Query {
    Query { filter: Arc::new(filter), sort: Vec::new(), skip: 0, limit: None, max_items: 1_000 }
}

impl World {
    /// What everybody sees, whole.
    async fn rows(&self, resource: &Resource) -> Vec<Value> {
        let rows = self.store.query(&resource.bare(), &all(Filter::All)).await.expect("rows").rows;
        rows.into_iter().map(|row| row.document.into_value()).collect()
    }

    /// Adds one to an account, and a line of it.
    async fn deposit(&self, line: usize) -> Result<()> {
        loop {
            match self.try_to_deposit(line).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                other => return other,
            }
        }
    }

    async fn try_to_deposit(&self, line: usize) -> Result<()> {
        let mut transaction = self.store.begin(Intent::Change).await?;
        let account = transaction.get(&self.accounts, "a", Lock::Change).await?.expect("the account");
        let mut account = account.into_value();
        let amount = account["amount"].as_i64().expect("a number") + 1;
        account["amount"] = amount.into();
        tokio::task::yield_now().await;
        transaction.update(&self.accounts, "a", account).await?;
        let line = format!("l{line:03}");
        transaction.insert(&self.lines, &line, json!({"key": line, "amount": amount})).await?;
        transaction.commit().await.map(drop)
    }
}

fn value(document: Option<Document>) -> Option<Value> {
    document.map(Document::into_value)
}

#[tokio::test]
async fn all_of_a_transaction_is_seen_within_it_and_outside_only_once_it_is_committed() {
    for world in worlds().await {
        let World { store, accounts, lines, .. } = &world;
        let first = json!({"key": "a", "amount": 1, "secret": "s", "extra": {"deep": [1, {"x": null}]}});
        for commits in [false, true] {
            let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
            assert_eq!(transaction.get(accounts, "a", Lock::Change).await.expect("an answer"), None);
            transaction.insert(accounts, "a", first.clone()).await.expect("inserted");
            transaction.insert(accounts, "b", json!({"key": "b", "amount": 2})).await.expect("inserted");
            transaction.update(accounts, "b", json!({"key": "b", "amount": 3})).await.expect("updated");
            transaction.insert(lines, "l", json!({"key": "l", "amount": 3})).await.expect("inserted");
            transaction.delete(lines, "l").await.expect("deleted");
            assert_eq!(value(transaction.get(accounts, "a", Lock::No).await.expect("read")), Some(first.clone()));
            let three = Filter::equal(Path::parse("amount"), &json!(3));
            let found = transaction.find(accounts, &all(three)).await.expect("found");
            assert_eq!(found.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["b"]);
            assert!(transaction.find(lines, &all(Filter::All)).await.expect("found").is_empty());
            assert!(world.rows(accounts).await.is_empty(), "seen before the commit");
            match commits {
                true => assert_ne!(transaction.commit().await.expect("committed").stamp, Stamp::None),
                false => drop(transaction),
            }
        }
        assert_eq!(world.rows(accounts).await, [first, json!({"key": "b", "amount": 3})]);
    }
}

#[tokio::test]
async fn what_a_record_leaves_out_is_gone_and_what_it_never_had_gets_its_default() {
    for world in worlds().await.into_iter().skip(2) {
        let World { store, accounts, lines, .. } = &world;
        let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
        transaction.insert(accounts, "a", json!({"key": "a", "amount": 1, "extra": {"b": 1}})).await.expect("inserted");
        transaction.insert(lines, "l", json!({"key": "l"})).await.expect("inserted");
        transaction.update(accounts, "a", json!({"key": "a", "amount": 1})).await.expect("updated");
        let line = value(transaction.get(lines, "l", Lock::Share).await.expect("read"));
        assert_eq!(line, Some(json!({"key": "l", "seq": 1, "amount": 7})));
        transaction.commit().await.expect("committed");
        assert_eq!(world.rows(accounts).await, [json!({"key": "a", "amount": 1})]);
    }
}

#[tokio::test]
async fn after_a_refused_write_nothing_can_be_committed_and_the_next_transaction_is_fine() {
    for world in worlds().await.into_iter().skip(2) {
        let World { store, accounts, lines, .. } = &world;
        let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
        transaction.insert(accounts, "a", json!({"key": "a", "amount": 1})).await.expect("inserted");
        let malformed = transaction.insert(accounts, "b", json!({"key": "b", "amount": 1, "extra": "\u{0}"})).await;
        assert_eq!(malformed.expect_err("no text of Postgres has NUL").kind(), Kind::Malformed);
        transaction.commit().await.expect_err("half of it");
        assert!(world.rows(accounts).await.is_empty());
        let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
        transaction.insert(lines, "l", json!({"key": "l", "amount": 1})).await.expect("inserted");
        let taken = transaction.insert(lines, "m", json!({"key": "m", "amount": 1})).await;
        assert_eq!(taken.expect_err("the amount is taken").kind(), Kind::Conflict);
        drop(transaction);
        let mut transaction = store.begin(Intent::Read).await.expect("a transaction");
        transaction.insert(lines, "l", json!({"key": "l", "amount": 1})).await.expect_err("it only reads");
    }
}

#[tokio::test]
async fn fifty_transactions_at_once_lose_nothing() {
    for world in worlds().await {
        let mut transaction = world.store.begin(Intent::Change).await.expect("a transaction");
        transaction.insert(&world.accounts, "a", json!({"key": "a", "amount": 0})).await.expect("inserted");
        transaction.commit().await.expect("committed");
        let world = Arc::new(world);
        let mut deposits = JoinSet::new();
        for line in 0..50 {
            let world = world.clone();
            deposits.spawn(async move { world.deposit(line).await.expect("deposited") });
        }
        deposits.join_all().await;
        assert_eq!(world.rows(&world.accounts).await, [json!({"key": "a", "amount": 50})]);
        let lines = world.rows(&world.lines).await;
        let mut amounts: Vec<i64> = lines.iter().filter_map(|line| line["amount"].as_i64()).collect();
        amounts.sort_unstable();
        assert_eq!(amounts, (1..=50).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn the_events_of_a_transaction_come_in_the_order_it_was_written_with_one_number_after_the_other() {
    let store = Embedded::open(None).expect("a store");
    let world = world(store.clone(), ());
    let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
    transaction.insert(&world.lines, "z", json!({"key": "z"})).await.expect("inserted");
    transaction.insert(&world.accounts, "a", json!({"key": "a"})).await.expect("inserted");
    transaction.update(&world.lines, "z", json!({"key": "z", "n": 1})).await.expect("updated");
    transaction.update(&world.accounts, "a", json!({"key": "a"})).await.expect("no change");
    transaction.delete(&world.lines, "z").await.expect("deleted");
    let stamp = transaction.commit().await.expect("committed").stamp;
    let events = store.changes(0, 10).expect("changes");
    let told: Vec<_> = events.iter().map(|event| (&*event.resource, event.operation, event.stamp)).collect();
    let expected = [
        ("lines", Operation::Created, Stamp::Offset(1)),
        ("accounts", Operation::Created, Stamp::Offset(2)),
        ("lines", Operation::Updated, Stamp::Offset(3)),
        ("lines", Operation::Removed, Stamp::Offset(4)),
    ];
    assert_eq!((told.as_slice(), stamp), (expected.as_slice(), Stamp::Offset(4)));
    assert_eq!(events[3].before, events[2].after);
}

#[tokio::test]
async fn a_plain_write_that_comes_between_is_a_conflict_and_one_elsewhere_is_none() {
    let store = Embedded::open(None).expect("a store");
    let world = world(store.clone(), ());
    let put = async |resource: &Resource, id: &str| {
        let write = tidings::store::Write::Put(json!({"key": id, "amount": 5}));
        store.write(resource, id, write, &tidings::store::Condition::None).await.expect("written");
    };
    for (read_all, place, conflicts) in
        [(false, (&world.lines, "l"), false), (false, (&world.accounts, "a"), true), (true, (&world.lines, "m"), true)]
    {
        let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
        transaction.get(&world.accounts, "a", Lock::Change).await.expect("read");
        if read_all {
            transaction.find(&world.lines, &all(Filter::All)).await.expect("found");
        }
        transaction.insert(&world.accounts, "b", json!({"key": "b"})).await.expect("inserted");
        put(place.0, place.1).await;
        let outcome = transaction.commit().await;
        assert_eq!(outcome.err().map(|error| error.kind()), conflicts.then_some(Kind::Conflict), "{place:?}");
        let mut transaction = store.begin(Intent::Change).await.expect("a transaction");
        if transaction.get(&world.accounts, "b", Lock::No).await.expect("read").is_some() {
            transaction.delete(&world.accounts, "b").await.expect("deleted");
        }
        transaction.commit().await.expect("committed");
    }
}
