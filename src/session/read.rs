//! `query` and `get`: asked of the store, answered in order.

use crate::access::Bound;
use crate::catalog::Served;
use crate::filter::Filter;
use crate::message::{Address, Code, Notice, Page};
use crate::query::{Query, Row, project};
use crate::session::{Session, refusal_of};
use std::sync::Arc;

impl Session {
    pub(super) async fn query(
        &self,
        address: &Address,
        served: &Served,
        bound: &Bound,
        filter: Filter,
        page: Page,
    ) -> Result<(), (Code, String)> {
        let rows = shown(self.rows(served, bound, filter, &page).await?, &page);
        self.tell(address, &Notice::List { rows: &rows, position: None });
        Ok(())
    }

    /// The held lines of every log of a family that this viewer may read, oldest first.
    pub(super) async fn query_family(
        &self,
        address: &Address,
        pattern: &str,
        filter: &Filter,
        page: &Page,
    ) -> Result<(), (Code, String)> {
        let mut family = Vec::new();
        for channel in self.terms.catalog.family(pattern) {
            let bound = channel.bind(&self.viewer.borrow()).filter(|_| channel.served.resource.is_readable());
            family.extend(bound.map(|bound| (channel.served, bound)));
        }
        if family.is_empty() {
            return Err((Code::Unsupported, "nothing is held here".to_owned()));
        }
        let mut all = Vec::new();
        for (served, bound) in family {
            all.extend(self.rows(&served, &bound, filter.clone(), page).await?);
        }
        all.sort_by_key(|row| row.offset);
        let rows = shown(all, page);
        self.tell(address, &Notice::List { rows: &rows, position: None });
        Ok(())
    }

    async fn rows(
        &self,
        served: &Served,
        bound: &Bound,
        filter: Filter,
        page: &Page,
    ) -> Result<Vec<Row>, (Code, String)> {
        if !served.resource.is_readable() {
            return Err((Code::Unsupported, "nothing is held here, it can only be watched".to_owned()));
        }
        let query = self.query_of(served, Arc::new(understood(served, filter)), page);
        let snapshot = served.query(bound, &query).await.map_err(|error| {
            tracing::warn!(resource = %served.resource.name, error = %error.chain(), "a query failed");
            refusal_of(&error)
        })?;
        Ok(snapshot.rows)
    }

    pub(super) async fn get(
        &self,
        address: &Address,
        served: &Served,
        bound: &Bound,
        filter: Filter,
        criteria: &str,
    ) -> Result<(), (Code, String)> {
        let page = Page { limit: Some(1), ..Page::default() };
        match self.rows(served, bound, filter, &page).await?.first() {
            Some(row) => self.tell(address, &Notice::Found { row }),
            None => self.tell(address, &Notice::Missed { criteria }),
        }
        Ok(())
    }

    /// The query for a page; an unlimited one is limited by what a list may have.
    pub(super) fn query_of(&self, served: &Served, filter: Arc<Filter>, page: &Page) -> Query {
        // The last lines of a log are meant: an order makes no sense there.
        let sort = if served.resource.append_only { Vec::new() } else { page.sort.clone() };
        Query { filter, sort, skip: page.skip, limit: page.limit, max_items: self.terms.limits.items }
    }
}

/// The filter as this resource understands strings.
pub(super) fn understood(served: &Served, filter: Filter) -> Filter {
    if served.resource.ignore_case { filter.ignoring_case() } else { filter }
}

/// The rows with the fields that were asked for.
pub(super) fn shown(rows: Vec<Row>, page: &Page) -> Vec<Row> {
    if page.fields.is_empty() {
        return rows;
    }
    rows.into_iter().map(|row| Row { document: project(&row.document, &page.fields), ..row }).collect()
}
