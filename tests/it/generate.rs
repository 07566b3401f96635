//! Random documents and filters as JSON, from so few names and values that they often meet.
//!
//! The strategies are boxed: nested as types they fill the stack of a test's thread.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Keys of rows, some of which are also values of `id`, and topics.
pub fn keys() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "1", "7", "n1", "N1", "true", "a", "a.b", "a.B", "a..b", "b.a.b"])
        .prop_map(str::to_owned)
}

/// Documents of rows: objects, now and then with an `id` that is not the key.
pub fn documents() -> BoxedStrategy<Value> {
    object(prop_oneof![
        4 => scalars(),
        2 => vec(scalars(), 0..4).prop_map(Value::from),
        1 => object(values()),
        1 => vec(object(values()), 0..3).prop_map(Value::from),
    ])
    .boxed()
}

/// Filters that are well formed, in every spelling.
pub fn filters() -> BoxedStrategy<Value> {
    let fields = vec((paths(), operands()), 0..3).prop_map(|fields| Value::Object(fields.into_iter().collect()));
    fields
        .prop_recursive(2, 8, 3, |inner| {
            let several = vec(inner.clone(), 0..3);
            prop_oneof![
                (prop::sample::select(vec!["$and", "$or", "$nor", "and", "or", "nor"]), several)
                    .prop_map(|(word, filters)| json!({ word: filters })),
                inner.clone().prop_map(|filter| json!({ "$not": filter })),
                (paths(), operands(), inner)
                    .prop_map(|(path, operand, filter)| json!({ path: operand, "$or": [filter, { "b": 1 }] })),
            ]
        })
        .boxed()
}

fn words() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "id"]).prop_map(str::to_owned)
}

fn paths() -> impl Strategy<Value = String> {
    let dotted = prop::sample::select(vec!["a.b", "a.0", "b.a", "c.a.b", "a.1.b", "b.id", "x"]).prop_map(str::to_owned);
    prop_oneof![3 => words(), 1 => dotted]
}

fn object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec((words(), values), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()))
}

fn scalars() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => (-1..4_i64).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(1.0), json!(1.5), json!(-0.0), json!(1e300), json!(7)]),
        1 => prop::sample::select(vec![
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992.0),
            json!(u64::MAX),
            json!(i64::MIN),
        ]),
        4 => texts().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
    .boxed()
}

fn texts() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "ab", "aB", "AB", "abc", "b", "é", "É", "1", "7", "n1", "%", "\u{10ffff}"])
        .prop_map(str::to_owned)
}

fn values() -> BoxedStrategy<Value> {
    scalars()
        .prop_recursive(2, 6, 3, |inner| prop_oneof![vec(inner.clone(), 0..3).prop_map(Value::from), object(inner)])
        .boxed()
}

/// What can stand after a field.
fn operands() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => values(),
        4 => operations(),
        2 => (operations(), operations()).prop_map(|(a, b)| both(a, b)),
        2 => (scalars(), scalars()).prop_map(|(low, high)| json!({ "$gte": low, "<": high })),
        1 => operations().prop_map(|operation| json!({ "$not": operation })),
    ]
    .boxed()
}

fn operations() -> BoxedStrategy<Value> {
    let one = |word: &'static str, operand: Value| json!({ word: operand });
    let ranges = vec![
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        ">",
        ">=",
        "<",
        "<=",
        "gt",
        "gte",
        "lt",
        "lte",
        "greaterThan",
        "greaterThanOrEqual",
        "lessThan",
        "lessThanOrEqual",
    ];
    let parts = vec!["$startsWith", "$contains", "$endsWith", "$like", "startsWith", "contains", "endsWith", "like"];
    let patterns =
        prop_oneof![texts(), prop::sample::select(vec!["a%", "%b", "%a%", "a%c", "%", "A%%"]).prop_map(str::to_owned)];
    prop_oneof![
        2 => (prop::sample::select(vec!["$eq", "$ne", "!", "not"]), values()).prop_map(move |(word, value)| one(word, value)),
        4 => (prop::sample::select(ranges), scalars()).prop_map(move |(word, value)| one(word, value)),
        2 => (prop::sample::select(vec!["$in", "$nin"]), vec(values(), 0..4))
            .prop_map(move |(word, values)| one(word, Value::from(values))),
        1 => any::<bool>().prop_map(move |wanted| one("$exists", Value::from(wanted))),
        3 => (prop::sample::select(parts), patterns).prop_map(move |(word, text)| one(word, Value::from(text))),
    ]
    .boxed()
}

fn both(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Object(mut a), Value::Object(b)) => {
            a.extend(b);
            Value::Object(a)
        }
        (a, _) => a,
    }
}
