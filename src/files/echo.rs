//! Whoever writes rows can wait until what they cause has been logged and handed to the shards.

use crate::event::Offset;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The writers that wait, by change id.
#[derive(Debug, Default)]
pub struct Echo {
    waiting: Mutex<HashMap<Arc<str>, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    /// Rows with this change id that have not come by yet.
    rows: usize,
    sender: oneshot::Sender<Offset>,
}

/// One writer's wait; dropping it ends the wait.
#[derive(Debug)]
pub struct Pending {
    n: Arc<str>,
    echo: Arc<Echo>,
    receiver: oneshot::Receiver<Offset>,
}

impl Echo {
    /// Waits for so many written rows with this change id. To be called before they are committed.
    pub fn register(self: &Arc<Echo>, n: Arc<str>, rows: usize) -> Pending {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(n.clone(), Waiting { rows, sender });
        Pending { n, echo: self.clone(), receiver }
    }

    /// These change ids came by, once for each row, and what they caused is logged up to this offset.
    pub fn logged(&self, ns: impl IntoIterator<Item = Arc<str>>, upto: Offset) {
        let mut waiting = self.lock();
        for n in ns {
            let Some(one) = waiting.get_mut(&n) else { continue };
            one.rows = one.rows.saturating_sub(1);
            if one.rows == 0
                && let Some(one) = waiting.remove(&n)
            {
                let _ = one.sender.send(upto);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// The offset by which everything that the rows caused is in the log and on its way through the shards; waits for
    /// as long as that takes. `None`: the same change id was registered again.
    pub async fn logged(&mut self) -> Option<Offset> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.echo.lock().remove(&self.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_is_told_when_its_last_row_came_by() {
        let echo = Arc::new(Echo::default());
        let mut pending = echo.register("c1".into(), 2);
        echo.logged(["c1".into(), "c2".into()], 7);
        assert!(pending.receiver.try_recv().is_err());
        echo.logged(["c1".into()], 9);
        assert_eq!(pending.logged().await, Some(9));
        drop(echo.register("c3".into(), 1));
        assert!(echo.lock().is_empty(), "nothing is kept of who does not wait any more");
    }
}
