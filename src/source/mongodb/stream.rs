//! An open change stream: asking for it in the words that this server knows, and its replies one by one.

use super::change::cluster_time;
use super::place::Place;
use crate::error::{Error, Kind};
use crate::mongodb::failure::{code, failure};
use futures_util::StreamExt;
use mongodb::Database;
use mongodb::bson::{Document, RawDocument, doc};
use mongodb::error::Error as DriverError;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use std::time::Duration;

/// How long the server holds a request when there is nothing to tell. A barrier waits for one or two of them.
const AWAIT: Duration = Duration::from_millis(50);

/// At most so many events in one reply.
const BATCH: u32 = 1000;

/// A server that says nothing for so long is lost.
const SILENCE: Duration = Duration::from_secs(60);

/// Where a stream begins.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    Now,
    After(&'a Place),
}

/// Why there is no stream, or no more of it.
pub(super) enum Ended {
    /// The connection, or the server's part of the stream: open another one.
    Cut,
    /// What comes next cannot be had any more; the server's words.
    HistoryLost(String),
    Failed(Error),
}

/// What comes of reading a stream.
pub(super) type Read<T> = Result<T, Ended>;

/// What servers learned: each asks for less than the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Words {
    /// 7.0 and 6.0.9: also events that are larger than a document may be.
    Fragments,
    /// 6.0: the record before the change.
    Images,
    /// Before.
    Changes,
}

/// An open stream.
pub(super) struct Stream {
    cursor: RawBatchCursor,
}

impl Stream {
    /// Opens a stream of a database; `only` are the collections to tell of, if not all.
    pub(super) async fn open(database: &Database, start: Start<'_>, only: Option<&[&str]>) -> Read<Stream> {
        for words in [Words::Fragments, Words::Images, Words::Changes] {
            let pipeline = pipeline(words, start, only);
            match database.aggregate(pipeline).batch_size(BATCH).max_await_time(AWAIT).batch().await {
                Ok(cursor) => {
                    if words == Words::Changes {
                        tracing::warn!(
                            database = database.name(),
                            "this server has no pre-images, so removals from a filter may be missed; they need MongoDB 6.0"
                        );
                    }
                    return Ok(Stream { cursor });
                }
                Err(error) if words != Words::Changes && is_unknown(&error) => {}
                Err(error) => return Err(ended(&error)),
            }
        }
        Err(Ended::Cut)
    }

    /// The next reply; an empty one says that for a while there was nothing to tell. Dropping the future is safe.
    pub(super) async fn next(&mut self) -> Read<Reply> {
        match tokio::time::timeout(SILENCE, self.cursor.next()).await {
            Ok(Some(Ok(batch))) => Ok(Reply { batch }),
            Ok(Some(Err(error))) => Err(ended(&error)),
            Ok(None) | Err(_) => Err(Ended::Cut),
        }
    }
}

/// What the server sent at once.
pub(super) struct Reply {
    batch: RawBatch,
}

impl Reply {
    /// The events, or fragments of them.
    pub(super) fn events(&self) -> Read<Vec<&RawDocument>> {
        let unreadable = |_| Ended::Failed(Error::new(Kind::Malformed, "a reply of the change stream cannot be read"));
        let list = self.batch.doc_slices().map_err(|error| ended(&error))?;
        list.into_iter()
            .map(|event| {
                let event = event.map_err(unreadable)?;
                event.as_document().ok_or_else(|| {
                    Ended::Failed(Error::new(Kind::Malformed, "an event of the change stream is no document"))
                })
            })
            .collect()
    }

    /// Where to go on once all events of this reply are handed over.
    pub(super) fn token(&self) -> Option<&RawDocument> {
        self.batch.as_raw_document().get_document("cursor").ok()?.get_document("postBatchResumeToken").ok()
    }

    /// The time of the last oplog entry that was looked at, where the token tells it.
    pub(super) fn looked_at(&self) -> Option<u64> {
        self.token().and_then(time_of)
    }

    /// The time that the server was at when it replied.
    pub(super) fn time(&self) -> Option<u64> {
        self.batch.as_raw_document().get_timestamp("operationTime").ok().map(cluster_time)
    }
}

fn pipeline(words: Words, start: Start<'_>, only: Option<&[&str]>) -> Vec<Document> {
    let mut stage = doc! {};
    if words != Words::Changes {
        stage.insert("fullDocumentBeforeChange", "whenAvailable");
        // For `disambiguatedPaths`.
        stage.insert("showExpandedEvents", true);
    }
    if let Start::After(place) = start {
        let token = Document::try_from(&*place.token).unwrap_or_default();
        stage.insert(if place.invalidated { "startAfter" } else { "resumeAfter" }, token);
    }
    let mut pipeline = vec![doc! { "$changeStream": stage }];
    if let Some(collections) = only {
        let records = doc! { "ns.coll": { "$in": collections } };
        let renamed = doc! { "to.coll": { "$in": collections } };
        let all = doc! { "operationType": { "$in": ["dropDatabase", "invalidate"] } };
        pipeline.push(doc! { "$match": { "$or": [records, renamed, all] } });
    }
    if words == Words::Fragments {
        pipeline.push(doc! { "$changeStreamSplitLargeEvent": {} });
    }
    pipeline
}

/// A token is a key in hexadecimal digits that begins with a time: its type 82, seconds, increment.
fn time_of(token: &RawDocument) -> Option<u64> {
    let time = token.get_str("_data").ok()?.strip_prefix("82")?.get(..16)?;
    u64::from_str_radix(time, 16).ok()
}

/// Whether the server did not understand what was asked: unknown stage, field or value.
fn is_unknown(error: &DriverError) -> bool {
    matches!(code(error), Some(2 | 9 | 14 | 72 | 40324 | 40415))
}

fn ended(error: &DriverError) -> Ended {
    let is_final = error.contains_label("NonResumableChangeStreamError");
    match code(error) {
        // Too old; another history; a stream or an event that cannot be told.
        Some(9 | 136 | 260 | 280 | 286 | 10334 | 50811) => Ended::HistoryLost(words_of(error)),
        Some(_) if is_final => Ended::HistoryLost(words_of(error)),
        // The cursor is gone, the server changes its role.
        Some(43 | 133 | 150 | 234 | 237 | 13388) => Ended::Cut,
        _ if error.contains_label("ResumableChangeStreamError") => Ended::Cut,
        _ => Ended::Failed(failure("following the change stream", error)),
    }
}

fn words_of(error: &DriverError) -> String {
    failure("going on", error).chain()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::rawdoc;

    #[test]
    fn a_token_tells_its_time_or_nothing() {
        let token = rawdoc! { "_data": "826561F0A90000002A2B0229296E04" };
        assert_eq!(time_of(&token), Some(0x6561_F0A9_0000_002A));
        for broken in ["", "82", "8265", "92AAAAAAAAAAAAAAAA", "82zzzzzzzzzzzzzzzz", "82ééééééééé"] {
            assert_eq!(time_of(&rawdoc! { "_data": broken }), None, "{broken}");
        }
        assert_eq!(time_of(&rawdoc! { "_data": 1 }), None);
    }

    #[test]
    fn older_servers_are_asked_for_less_and_all_for_the_same_place() {
        let place = Place { identity: String::new(), token: rawdoc! { "_data": "82" }, invalidated: false, time: 1 };
        let ended = Place { invalidated: true, ..place.clone() };
        let resumed = doc! { "resumeAfter": { "_data": "82" } };
        let images = doc! { "fullDocumentBeforeChange": "whenAvailable", "showExpandedEvents": true,
        "resumeAfter": { "_data": "82" } };
        for (words, stage, stages) in
            [(Words::Fragments, &images, 3), (Words::Images, &images, 2), (Words::Changes, &resumed, 2)]
        {
            let pipeline = pipeline(words, Start::After(&place), Some(&["nodes"]));
            assert_eq!((&pipeline[0], pipeline.len()), (&doc! { "$changeStream": stage }, stages), "{words:?}");
        }
        let after = pipeline(Words::Changes, Start::After(&ended), None);
        assert_eq!(after, [doc! { "$changeStream": { "startAfter": { "_data": "82" } } }]);
    }
}
