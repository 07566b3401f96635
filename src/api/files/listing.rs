//! Lists of files: one's own, the children of one, those that others have shared.

use super::answer;
use super::asker::Asker;
use super::failure::Failure;
use super::page::Page;
use super::query::Parameters;
use super::table::{Question, Table};
use super::visit::Visit;
use super::{Api, FilesApi};
use crate::audience::Role;
use crate::files::rows::{File, Order, Permission};
use crate::filter::{Filter, Path, Test};
use crate::query::Direction;
use crate::store::transaction::Intent;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::sync::Arc;

/// So many files are read at a time, whatever the asker may see of them.
const CHUNK: usize = 200;

/// `GET /files`: what one owns outside of everything, or what is in a file, by key.
pub(super) async fn list(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Response, Failure> {
    let mut page = Page::read(&Parameters::of(uri.query()))?;
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    if let Some(parent) = &page.parent {
        let parent = visit.file(&parent.as_str().into()).await?;
        parent.filter(|parent| !parent.deleted).ok_or_else(Failure::not_found)?;
    }
    let mut items = Vec::new();
    loop {
        let files = visit.find_files(next(&api, &asker, &page)).await?;
        visit.foresee(&files).await?;
        for file in &files {
            page.after = Some(file.key.to_string());
            items.extend(visit.item(file).await?);
            if items.len() == page.limit {
                return Ok(answer(&page, items));
            }
        }
        if files.len() < CHUNK {
            return Ok(answer(&page, items));
        }
    }
}

/// The files that come next, as far as the store can tell which are wanted.
fn next(api: &FilesApi, asker: &Asker, page: &Page) -> Question {
    let table = &api.files;
    let mut question = table.all().and(table.live());
    question = match &page.parent {
        Some(parent) => question.and(Filter::last(table.path("parents"), parent)),
        None => question.and(table.is("owner", &asker.subject)).and(without_parent(table)),
    };
    if !page.kinds.is_empty() {
        question = question.and(table.is_among("kind", page.kinds.iter().map(String::as_str)));
    }
    if let Some(after) = &page.after {
        question = question.and(Filter::range(table.path("key"), Test::Greater, &json!(after)));
    }
    question.sorted(table.by("key", Direction::Ascending)).at_most(CHUNK)
}

fn without_parent(table: &Table) -> Filter {
    Filter::exists(Path::parse(&format!("{}.0", table.mapping.name("parents"))), false)
}

/// `GET /shared`: what others have given to the asker, the newest grant first.
pub(super) async fn shared(State(api): State<Api>, asker: Asker, uri: Uri) -> Result<Response, Failure> {
    let mut page = Page::read(&Parameters::of(uri.query()))?;
    let table = &api.permissions;
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    let own = table.all().and(table.is("type", "user")).and(table.is("owner", &asker.subject)).and(table.live());
    let mut grants = table.find(&mut *visit.transaction, own, Permission::read).await?;
    grants.retain(|grant| grant.expiration_time.is_none_or(|until| visit.now <= until));
    grants.sort_by_cached_key(|grant| Reverse(place(grant)));
    if let Some(after) = &page.after {
        let after = parse_place(after).ok_or_else(|| Failure::malformed("Invalid page cursor."))?;
        grants.retain(|grant| place(grant) < after);
    }
    let keys: Vec<Arc<str>> = grants.iter().map(|grant| grant.file.clone()).collect();
    visit.read_files(&keys).await?;
    let mut items = Vec::new();
    for grant in grants {
        if items.len() == page.limit {
            break;
        }
        page.after = Some(place_text(&grant));
        if let Some(file) = visit.file(&grant.file).await?
            && is_wanted(&file, &page)
        {
            items.extend(visit.item(&file).await?);
        }
    }
    Ok(answer(&page, items))
}

/// Where a grant stands among all.
fn place(grant: &Permission) -> (Order, Arc<str>) {
    (grant.order.clone(), grant.key.clone())
}

/// The same as text, in two lines: `n17`, `t2026-…` or `-`, then the key.
fn place_text(grant: &Permission) -> String {
    match &grant.order {
        Order::Unknown => format!("-\n{}", grant.key),
        Order::Number(number) => format!("n{number}\n{}", grant.key),
        Order::Time(time) => format!("t{time}\n{}", grant.key),
    }
}

fn parse_place(text: &str) -> Option<(Order, Arc<str>)> {
    let (order, key) = text.split_once('\n')?;
    let order = match order.split_at_checked(1)? {
        ("n", number) => Order::Number(number.parse().ok()?),
        ("t", time) => Order::Time(time.into()),
        _ => Order::Unknown,
    };
    Some((order, key.into()))
}

fn is_wanted(file: &File, page: &Page) -> bool {
    !file.deleted && file.parent().map(|parent| &**parent) == page.parent.as_deref() && page.wants(&file.kind)
}

fn answer(page: &Page, items: Vec<Value>) -> Response {
    answer::json(StatusCode::OK, &json!({"items": items, "cursor": page.cursor()}))
}

impl Visit<'_> {
    async fn find_files(&mut self, question: Question) -> Result<Vec<Arc<File>>, Failure> {
        let files = self.api.files.find(&mut *self.transaction, question, File::read).await?;
        Ok(files.into_iter().map(Arc::new).collect())
    }

    /// A file as an item of a list; `None` where the asker has no role on it.
    pub(super) async fn item(&mut self, file: &Arc<File>) -> Result<Option<Value>, Failure> {
        let role: Option<Role> = self.role(file).await?;
        match role {
            Some(role) => Ok(Some(self.shown(file, role).await?)),
            None => Ok(None),
        }
    }
}
