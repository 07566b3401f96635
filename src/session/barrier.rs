//! `barrier`: an answer that comes once everything committed before the question has been told.

use crate::catalog::Served;
use crate::event::{Mark, Offset};
use crate::message::{Address, Code, Notice};
use crate::session::subscription::{Place, Stage};
use crate::session::{Session, refusal_of};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for news between two looks.
const LOOK: Duration = Duration::from_millis(20);

impl Session {
    pub(super) async fn barrier(&self, address: &Address, resource: &str) -> Result<(), (Code, String)> {
        let only = match resource {
            "" => None,
            name => Some(self.served(name)?.0),
        };
        let reaching = async {
            let mut upto = 0;
            for served in self.watched(only.as_deref()) {
                upto = upto.max(self.logged(&served).await?);
            }
            while !self.is_told(only.as_deref(), upto) {
                self.shard.advance(LOOK).await;
                if !self.is_open() {
                    break;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(self.terms.limits.barrier, reaching).await {
            Ok(Ok(())) => {
                let offset = self.told_upto(only.as_deref());
                self.tell(address, &Notice::Barrier { position: self.shard.hub.position(offset) });
                Ok(())
            }
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err((Code::Barrier, "not everything arrived in time".to_owned())),
        }
    }

    /// One resource of every source that is watched here.
    fn watched(&self, only: Option<&Served>) -> Vec<Arc<Served>> {
        let mut all: Vec<Arc<Served>> = Vec::new();
        for one in &self.state.borrow().subscriptions {
            let name = &one.served.resource.name;
            let is_asked = only.is_none_or(|served| served.resource.name == *name);
            if is_asked && !all.iter().any(|other| other.resource.name == *name) {
                all.push(one.served.clone());
            }
        }
        all
    }

    /// The offset by which everything that was committed to a resource before now is in the log.
    async fn logged(&self, served: &Served) -> Result<Offset, (Code, String)> {
        let mut upto = 0;
        for feed in served.feeds() {
            let mark = feed.store.mark().await.map_err(|error| refusal_of(&error))?;
            upto = upto.max(loop {
                let offset = match &mark {
                    Mark::Offset(offset) if served.resource.append_only => Some(*offset),
                    mark => self.shard.hub.reached(&feed.source, mark),
                };
                if let Some(offset) = offset {
                    break offset;
                }
                feed.health.ring();
                self.shard.advance(LOOK).await;
            });
        }
        Ok(upto)
    }

    fn is_told(&self, only: Option<&Served>, upto: Offset) -> bool {
        let state = self.state.borrow();
        let mut asked = state
            .subscriptions
            .iter()
            .filter(|one| only.is_none_or(|served| served.resource.name == one.served.resource.name));
        self.shard.processed() >= upto
            && asked.all(|one| {
                let is_prepared = one.watches.iter().all(|held| !matches!(held.stage, Stage::Preparing));
                is_prepared
                    && match one.place {
                        Place::Live => true,
                        Place::Behind(cursor) => cursor >= upto && one.retells.is_empty(),
                        Place::Nowhere => false,
                    }
            })
    }

    /// The offset up to which everything that concerns the asked watches has been told.
    fn told_upto(&self, only: Option<&Served>) -> Offset {
        let behind = self
            .state
            .borrow()
            .subscriptions
            .iter()
            .filter_map(|one| match one.place {
                Place::Behind(cursor) if only.is_none_or(|served| served.resource.name == one.served.resource.name) => {
                    Some(cursor)
                }
                _ => None,
            })
            .min();
        behind.unwrap_or(Offset::MAX).min(self.shard.processed())
    }
}
