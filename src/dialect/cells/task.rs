//! A task, as its owner is told of it.

use crate::dialect::cells::shape::{Field, Object, Shape, Unreadable, word, write};
use serde_json::{Map, Value};
use std::sync::Arc;

const STATUSES: &[&str] =
    &["Unknown", "Idle", "Running", "Finished", "Interrupted", "Paused", "Any", "Error", "Queued"];

const TASK: &Shape = &[
    ("ID", Field::Text),
    ("JobID", Field::Text),
    ("Status", Field::Word(STATUSES)),
    ("StatusMessage", Field::Text),
    ("TriggerOwner", Field::Text),
    ("StartTime", Field::Number),
    ("EndTime", Field::Number),
    ("CanStop", Field::Flag),
    ("CanPause", Field::Flag),
    ("HasProgress", Field::Flag),
    ("Progress", Field::Float),
];

const JOB: &Shape = &[
    ("ID", Field::Text),
    ("Label", Field::Text),
    ("Owner", Field::Text),
    ("Inactive", Field::Flag),
    ("EventNames", Field::Texts),
    ("Schedule", Field::Any),
    ("AutoStart", Field::Flag),
    ("MaxConcurrency", Field::Number),
    ("Languages", Field::Texts),
    ("AutoClean", Field::Flag),
    ("TasksSilentUpdate", Field::Flag),
];

/// A task and its job, as they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: Arc<str>,
    /// The login that it belongs to.
    pub owner: Arc<str>,
    /// It has come to its end, well or not.
    pub is_over: bool,
    pub text: String,
}

impl Task {
    /// Reads `{"TaskUpdated":{…},"Job":{…}}`; `None` without a task. Without a job it has one with its id.
    ///
    /// # Errors
    /// When something in it is of another type than it should be.
    pub fn read(event: &Map<String, Value>) -> Result<Option<Task>, Unreadable> {
        let Some(task) = event.get("TaskUpdated").filter(|task| !task.is_null()) else { return Ok(None) };
        let task = task.as_object().ok_or(Unreadable)?;
        let text = |key: &str| task.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut job = match event.get("Job").filter(|job| !job.is_null()) {
            Some(job) => job.as_object().ok_or(Unreadable)?.clone(),
            None => Map::new(),
        };
        if job.get("ID").is_none_or(|id| id.is_null() || id == "") {
            job.insert("ID".to_owned(), text("JobID").into());
        }
        let written = write(TASK, task)?;
        let status = task.get("Status").map(|status| word(STATUSES, status));
        let status = status.transpose()?.unwrap_or(0);
        let mut object = Object::default();
        object.object("TaskUpdated", written);
        object.object("Job", write(JOB, &job)?);
        let is_over = matches!(STATUSES.get(status), Some(&"Finished" | &"Error"));
        Ok(Some(Task { id: text("ID").into(), owner: text("TriggerOwner").into(), is_over, text: object.end() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: Value) -> Result<Option<Task>, Unreadable> {
        Task::read(event.as_object().expect("an object"))
    }

    #[test]
    fn a_task_is_told_with_its_job() {
        let event = json!({"TaskUpdated": {"ID": "t-1", "JobID": "copy-1", "Status": 2, "StatusMessage": "Copying a.txt",
            "TriggerOwner": "alice", "StartTime": "1700000000", "CanStop": true, "HasProgress": true, "Progress": 0.5,
            "Unheard": "of"}, "Job": {"ID": "copy-1", "Label": "Copy", "Owner": "alice", "AutoStart": true}});
        let task = read(event).unwrap().unwrap();
        let text = r#"{"TaskUpdated":{"ID":"t-1","JobID":"copy-1","Status":"Running","StatusMessage":"Copying a.txt","TriggerOwner":"alice","StartTime":1700000000,"CanStop":true,"HasProgress":true,"Progress":0.5},"Job":{"ID":"copy-1","Label":"Copy","Owner":"alice","AutoStart":true}}"#;
        assert_eq!(task.text, text);
        assert!(!task.is_over && &*task.owner == "alice" && &*task.id == "t-1");
    }

    #[test]
    fn a_job_has_at_least_the_id_that_the_task_names() {
        let task = read(json!({"TaskUpdated": {"ID": "t", "JobID": "j", "Status": "Error"}})).unwrap().unwrap();
        assert_eq!(task.text, r#"{"TaskUpdated":{"ID":"t","JobID":"j","Status":"Error"},"Job":{"ID":"j"}}"#);
        assert!(task.is_over);
        assert_eq!(read(json!({"Job": {"ID": "j"}})), Ok(None));
        assert_eq!(read(json!({"TaskUpdated": {"Status": "Done"}})), Err(Unreadable));
    }
}
