//! What the MongoDB store answers is what the filters say of the same documents in memory, whatever their types.

use crate::dice::Dice;
use crate::mongodb::Mongo;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, DateTime, Document, Regex, Timestamp, Uuid, doc, spec::BinarySubtype};
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::filter::{Filter, Path};
use tidings::mongodb::collection::Binding;
use tidings::query::{Query, Row};
use tidings::resource::Resource;
use tidings::store::Store;
use tidings::store::mongodb::{MongoStore, Settings};
use tidings::store::select::select;

const OID: &str = "507f1f77bcf86cd799439011";
const UUID: &str = "1d9c4f2e-5a4e-4a51-8a0e-0f3f6f6f6f6f";

fn query(filter: Filter) -> Query {
    Query { filter: Arc::new(filter), sort: Vec::new(), skip: 0, limit: None, max_items: 100_000 }
}

/// Scalars of every type that a document may have, with the corners where BSON and JSON differ.
fn scalars() -> Vec<Bson> {
    let bytes = |subtype, bytes: &[u8]| Bson::Binary(Binary { subtype, bytes: bytes.to_vec() });
    let regex = Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() };
    let mut scalars: Vec<Bson> =
        ["", "a", "A", "ab", "aB", "abc", "k", "\u{212a}", "é", "É", "ß", "\u{ffff}", "\u{10000}"]
            .into_iter()
            .chain([
                "1",
                "7",
                "$where",
                "$a",
                "a.b",
                "^a",
                "true",
                "null",
                "NaN",
                "AAH/",
                OID,
                UUID,
                "2026-11-21T08:18:14.849Z",
            ])
            .map(Bson::from)
            .collect();
    scalars.extend([0, 1, -1, 2, 7, i32::MAX].map(Bson::Int32));
    scalars.extend([1, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN].map(Bson::Int64));
    scalars.extend(
        [1.0, 1.5, -0.0, 9_007_199_254_740_992.0, 9.3e18, 1.8e19, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
            .map(Bson::Double),
    );
    scalars.extend([Bson::Boolean(true), Bson::Boolean(false), Bson::Null, Bson::Null]);
    scalars.extend(["1", "1.5", "7"].map(|text| Bson::Decimal128(text.parse().unwrap())));
    scalars.extend([1_795_249_094_849, -1, 0].map(|millis| Bson::DateTime(DateTime::from_millis(millis))));
    scalars.extend([Bson::ObjectId(ObjectId::parse_str(OID).unwrap()), Bson::from(Uuid::parse_str(UUID).unwrap())]);
    scalars.extend([bytes(BinarySubtype::Generic, &[0, 1, 255]), bytes(BinarySubtype::UserDefined(200), b"abc")]);
    scalars.extend([Bson::Timestamp(Timestamp { time: 1, increment: 2 }), Bson::RegularExpression(regex)]);
    scalars.extend([Bson::MinKey, Bson::MaxKey, Bson::Symbol("a".into())]);
    scalars
}

const NAMES: [&str; 6] = ["a", "b", "c", "id", "0", "1"];

fn value(dice: &mut Dice, scalars: &[Bson], depth: usize) -> Bson {
    match dice.roll(if depth == 0 { 6 } else { 10 }) {
        0..=5 => dice.pick(scalars).clone(),
        6 | 7 => Bson::Document(fields(dice, scalars, depth - 1)),
        _ => Bson::Array((0..dice.roll(4)).map(|_| value(dice, scalars, depth - 1)).collect()),
    }
}

fn fields(dice: &mut Dice, scalars: &[Bson], depth: usize) -> Document {
    (0..dice.roll(4)).map(|_| ((*dice.pick(&NAMES)).to_owned(), value(dice, scalars, depth))).collect()
}

/// Something to compare with: mostly what some document has, as it is told.
fn operand(dice: &mut Dice, known: &[Value]) -> Value {
    match dice.roll(8) {
        0 => json!(dice.pick(&[u64::MAX, (1 << 63) + 1, 1 << 63, 9_300_000_000_000_000_000])),
        1 => json!({"a": dice.pick(known)}),
        2 => json!([dice.pick(known)]),
        _ => dice.pick(known).clone(),
    }
}

fn filter(dice: &mut Dice, known: &[Value], depth: usize) -> Value {
    let paths = [
        "a", "b", "c", "id", "_id", "k", "a.b", "a.0", "a.1.b", "b.a", "a.a.b", "b.id", "id.a", "a.id", "x", "secret",
        "c.secret",
    ];
    let field = *dice.pick(&paths);
    let test = match dice.roll(9) {
        0 | 1 => json!({"$eq": operand(dice, known)}),
        2 => json!({"$in": [operand(dice, known), operand(dice, known), operand(dice, known)]}),
        3 => json!({"$exists": dice.roll(2) == 0}),
        4 => json!({"$not": {"$eq": operand(dice, known)}}),
        5 => {
            let word = *dice.pick(&["$startsWith", "$contains", "$endsWith", "$like"]);
            json!({word: *dice.pick(&["", "a", "A", "b", "%b", "a%", ".", "$", "é", "K", "20", "^a", "a%c"])})
        }
        _ => json!({*dice.pick(&["$gt", "$gte", "$lt", "$lte"]): operand(dice, known)}),
    };
    let several = |dice: &mut Dice| json!([filter(dice, known, depth - 1), filter(dice, known, depth - 1)]);
    match dice.roll(if depth == 0 { 6 } else { 12 }) {
        0..=3 => json!({ field: test }),
        4..=5 => json!({ field: {"$not": test} }),
        6..=7 => json!({"$not": filter(dice, known, depth - 1)}),
        8 => json!({"$nor": several(dice)}),
        9 => json!({"$or": several(dice)}),
        _ => json!({"$and": several(dice)}),
    }
}

fn resource(name: &str, key: &str) -> Resource {
    let key = if key == "_id" { "id" } else { key };
    Resource { key: vec![key.into()], hide: vec!["*secret".into()], ..Resource::named(name) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_answers_what_the_filter_says_of_every_document() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let scalars = scalars();
    let mut dice = Dice(11);
    let bindings = ["strings", "objects", "mixed", "named"].map(|name| {
        let key = if name == "named" { "k" } else { "_id" };
        Binding { key: key.into(), ..Binding::new(name, name) }
    });
    for binding in &bindings {
        let mut documents = Vec::new();
        for number in 0..150 {
            let id = match &*binding.collection {
                "strings" => Bson::from(format!("{}{number}", dice.pick(&["k", "K", "é", ""]))),
                "objects" => Bson::ObjectId(ObjectId::from_bytes([number as u8; 12])),
                _ => match scalars.get(number) {
                    // Of values that are equal for the database, one may be a key.
                    Some(scalar) if scalars[..number].iter().all(|other| !is_same_key(other, scalar)) => scalar.clone(),
                    _ => Bson::Document(doc! { "n": number as i32 }),
                },
            };
            let mut document = doc! { "_id": id };
            document.extend(fields(&mut dice, &scalars, 2));
            document.insert("secret", "hidden");
            if dice.roll(3) > 0 {
                document.insert("k", value(&mut dice, &scalars, 1));
            }
            documents.push(document);
        }
        database.collection::<Document>(&binding.collection).insert_many(documents).await.unwrap();
    }
    let known: Vec<Value> = {
        let raw = |scalar: &Bson| mongodb::bson::RawDocumentBuf::try_from(&doc! { "v": scalar.clone() }).unwrap();
        scalars.iter().map(|scalar| tidings::mongodb::form::document(&raw(scalar))["v"].clone()).collect()
    };
    let store = MongoStore::new(mongo.database().await, Settings::new(bindings.to_vec()));
    let mut found = 0;
    for binding in &bindings {
        let resource = resource(&binding.resource, &binding.key);
        let all: Vec<Row> = store.query(&resource, &query(Filter::All)).await.unwrap().rows;
        assert_eq!(all.len(), 150);
        assert!(all.iter().all(|row| row.document.value().get("secret").is_none()));
        for number in 0..200 {
            let asked = filter(&mut dice, &known, 2);
            let parsed = Filter::parse(&asked).unwrap_or_else(|_| panic!("{asked} is no filter"));
            let mut query = query(if number % 4 == 0 { parsed.ignoring_case() } else { parsed });
            dice.page(&mut query, &NAMES);
            let answered =
                store.query(&resource, &query).await.unwrap_or_else(|error| panic!("{asked}: {}", error.chain()));
            let expected = select(all.iter().cloned(), &query).unwrap();
            let ids = |rows: &[Row]| rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
            if ids(&answered.rows) != ids(&expected) {
                let differs = |row: &&Row| answered.rows.contains(row) != expected.contains(row);
                let first = all.iter().find(differs);
                panic!("{} {asked} {query:?}: {first:?}", binding.collection);
            }
            found += expected.len();
        }
    }
    assert!(found > 2_500, "the filters match hardly anything: {found}");
}

/// Numbers are one key whatever their type; a symbol is taken for a string.
fn is_same_key(a: &Bson, b: &Bson) -> bool {
    let number = |value: &Bson| match value {
        Bson::Int32(number) => Some(number.to_string()),
        Bson::Int64(number) => Some(number.to_string()),
        Bson::Double(number) => Some((number + 0.0).to_string()),
        Bson::Decimal128(number) => Some(number.to_string()),
        _ => None,
    };
    a == b
        || (number(a).is_some() && number(a) == number(b))
        || matches!(b, Bson::Symbol(_) | Bson::RegularExpression(_) | Bson::Undefined)
}

#[tokio::test]
async fn no_operator_of_a_client_reaches_the_server() {
    let Some(mongo) = Mongo::create() else { return };
    let rows = mongo.database().await.collection::<Document>("nodes");
    rows.insert_many([doc! { "_id": "n1", "name": "$where", "o": {"a": 1} }, doc! { "_id": "n2", "name": "x" }])
        .await
        .unwrap();
    let store = MongoStore::new(mongo.database().await, Settings::new(vec![Binding::new("nodes", "nodes")]));
    let nodes = resource("nodes", "_id");
    for word in ["$where", "$function", "$expr", "$jsonSchema", "$text", "$regex", "$type", "$elemMatch", "$comment"] {
        assert!(Filter::parse(&json!({ word: "sleep(1000) || true" })).is_err(), "{word}");
        assert!(Filter::parse(&json!({"name": { word: "1" }})).is_err(), "{word}");
        // As data it is data.
        for filter in [
            json!({"name": {"$eq": { word: "this.name" }}}),
            json!({"name": {"$in": [{ word: 1 }, word, [{ word: 1 }]]}}),
            json!({"id": {"$eq": { word: "this.name" }}}),
            json!({"o.a": {"$eq": {"$gt": 0}}}),
        ] {
            let snapshot = store.query(&nodes, &query(Filter::parse(&filter).unwrap())).await.unwrap();
            assert_eq!(
                snapshot.rows.len(),
                usize::from(word == "$where" && filter["name"].get("$in").is_some()),
                "{filter}"
            );
        }
    }
    // Names of fields that are operators find nothing, and say nothing to the server.
    for name in ["$where", "a.$where", "$expr.a", "", "a..b", "."] {
        for test in [json!({"$eq": "1"}), json!({"$ne": "1"}), json!({"$exists": false})] {
            let filter = Filter::every(vec![Filter::parse(&json!({"a": {name: 1}})).unwrap_or(Filter::All)]);
            assert!(store.query(&nodes, &query(filter)).await.is_ok());
            let field = Filter::equal(Path::parse(name), &json!("1"));
            let expected = if test.get("$eq").is_some() { 0 } else { 2 };
            let filter = if expected == 0 { field } else { field.negated() };
            assert_eq!(store.query(&nodes, &query(filter)).await.unwrap().rows.len(), expected, "{name}");
        }
    }
}
