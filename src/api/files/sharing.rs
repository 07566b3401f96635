//! Who has access to a file, changed: all of a request, or nothing of it.

use super::Api;
use super::asker::Asker;
use super::body;
use super::failure::Failure;
use super::meta;
use super::mutation::{Mutation, carry_out};
use super::patching::difference;
use super::routes::Key;
use super::sharing::operation::Operation;
use super::visit::Visit;
use crate::audience::{Role, Who};
use crate::files::rows::{File, Order, Permission, Shape, Told};
use crate::store::transaction::Lock;
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

mod operation;

/// `PATCH /files/KEY/users`.
pub(super) async fn patch(
    State(api): State<Api>,
    asker: Asker,
    Key(key): Key,
    request: Request,
) -> Result<StatusCode, Failure> {
    let sharing = Sharing::read(key, &body::json(request).await?)?;
    carry_out(&api, &asker, &sharing).await?;
    Ok(StatusCode::NO_CONTENT)
}

struct Sharing {
    key: String,
    /// How its sender calls it.
    id: Option<Value>,
    app: Option<Value>,
    app_version: Option<Value>,
    operations: Vec<Operation>,
}

impl Sharing {
    fn read(key: String, body: &Value) -> Result<Sharing, Failure> {
        let patch = body.get("patch").and_then(Value::as_array);
        let patch = patch.ok_or_else(|| Failure::malformed("Expected array with patch in the body."))?;
        let operations = patch.iter().enumerate().map(|(position, one)| Operation::read(position, one));
        let member = |name: &str| body.get(name).filter(|value| !value.is_null()).cloned();
        Ok(Sharing {
            key,
            id: member("id"),
            app: member("app"),
            app_version: member("appVersion"),
            operations: operations.collect::<Result<_, _>>()?,
        })
    }

    /// What everybody is told of it; without a name it gets one.
    fn told(&self, n: &str, before: &Value, after: &Value) -> Told {
        let unnamed = difference(n, before, after);
        Told {
            id: self.id.clone().unwrap_or(unnamed.id),
            app: self.app.clone().unwrap_or(unnamed.app),
            app_version: self.app_version.clone().unwrap_or(unnamed.app_version),
            ..unnamed
        }
    }
}

#[async_trait]
impl Mutation for Sharing {
    type Done = ();

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let (file, role) = visit.enter_as(Role::Writer, &self.key, Lock::Change).await?;
        if self.operations.is_empty() {
            return Ok(());
        }
        let before = visit.document(&file).await?;
        let live = visit.permissions(&file.key).await?.to_vec();
        let mut list = List { file: file.clone(), role, live, writes: Vec::new() };
        for operation in &self.operations {
            list.take(visit, operation).await?;
        }
        for (permission, is_new) in &list.writes {
            list.write(visit, permission, *is_new).await?;
        }
        let mut after = file.document(&list.live);
        meta::touch(&mut after, &visit.author().await?, visit.now);
        let told = self.told(&visit.n, &before, &after);
        meta::write(visit, after, told).await
    }
}

/// The permissions of a file while operations change them.
struct List {
    file: Arc<File>,
    /// What the asker may do, and nobody gets or loses more by him.
    role: Role,
    live: Vec<Permission>,
    /// Rows to be written, in order, and whether they are new.
    writes: Vec<(Permission, bool)>,
}

impl List {
    async fn take(&mut self, visit: &mut Visit<'_>, operation: &Operation) -> Result<(), Failure> {
        let is_for_owner = matches!(operation.who(), Who::Subject(subject) if *subject == self.file.owner);
        let place = self.live.iter().position(|permission| permission.who == *operation.who());
        let held = place.and_then(|place| self.live.get(place)).map(|permission| permission.role);
        let wanted = match operation {
            Operation::Add { role, .. } => Some(*role),
            Operation::Remove { .. } => None,
        };
        if wanted.max(held) > Some(self.role) {
            return Err(Failure::insufficient());
        }
        if let Operation::Add { who: Who::Subject(user), .. } = operation
            && visit.api.users.is_some()
            && visit.user(user).await?.is_none()
        {
            return Err(Failure::malformed(format!("User \"{user}\" not found.")));
        }
        // Its owner has every role on a file already, and always will.
        match operation {
            _ if is_for_owner => Ok(()),
            Operation::Add { who, role, until } => self.add(visit, place, who, *role, *until),
            Operation::Remove { who } => {
                self.remove(visit, place, who);
                Ok(())
            }
        }
    }

    fn add(
        &mut self,
        visit: &Visit<'_>,
        place: Option<usize>,
        who: &Who,
        role: Role,
        until: Option<i64>,
    ) -> Result<(), Failure> {
        if until.is_some_and(|until| until < visit.now) {
            return Err(Failure::malformed("The permission expiration date is in the past."));
        }
        let held = place.and_then(|place| self.live.get(place).cloned());
        let is_new = held.is_none();
        let permission = held.unwrap_or_else(|| self.blank(visit, who));
        let permission = Permission {
            role,
            adding_user: visit.asker.subject.clone(),
            expiration_time: until.or(permission.expiration_time),
            n: Some(self.change_of(visit, &permission.key)),
            ..permission
        };
        match place.and_then(|place| self.live.get_mut(place)) {
            Some(held) => held.clone_from(&permission),
            None => self.live.push(permission.clone()),
        }
        self.writes.push((permission, is_new));
        Ok(())
    }

    /// Without a grant, a user is told by a row that never was one.
    fn remove(&mut self, visit: &Visit<'_>, place: Option<usize>, who: &Who) {
        let (permission, is_new) = match (place, who) {
            (Some(place), _) => (self.live.remove(place), false),
            (None, Who::Subject(_)) => (self.blank(visit, who), true),
            (None, Who::Group(_) | Who::Anyone) => return,
        };
        let permission = Permission {
            deleted: true,
            deleted_time: Some(visit.now),
            deleting_user: Some(visit.asker.subject.clone()),
            n: Some(self.change_of(visit, &permission.key)),
            ..permission
        };
        self.writes.push((permission, is_new));
    }

    /// A new permission, given last.
    fn blank(&self, visit: &Visit<'_>, who: &Who) -> Permission {
        Permission {
            key: Uuid::new_v4().to_string().into(),
            file: self.file.key.clone(),
            order: self.next(visit),
            who: who.clone(),
            role: Role::Reader,
            adding_user: visit.asker.subject.clone(),
            display_name: None,
            expiration_time: None,
            deleted: false,
            deleted_time: None,
            deleting_user: None,
            n: None,
        }
    }

    /// The change id for a row: another one each time it is written, since it has changed each time.
    fn change_of(&self, visit: &Visit<'_>, key: &str) -> Arc<str> {
        match self.writes.iter().filter(|(permission, _)| *permission.key == *key).count() {
            0 => visit.n.clone(),
            times => format!("{}.{times}", visit.n).into(),
        }
    }

    /// The place behind all others. Where the database draws it, this is not written.
    fn next(&self, visit: &Visit<'_>) -> Order {
        let orders = self.live.iter().chain(self.writes.iter().map(|(permission, _)| permission));
        let last = orders.filter_map(|permission| match permission.order {
            Order::Number(number) => Some(number),
            Order::Unknown | Order::Time(_) => None,
        });
        match visit.api.permissions.mapping.shape() {
            Shape::Columns => Order::Unknown,
            Shape::Flat => Order::Number(last.max().map_or(visit.now, |last| visit.now.max(last.saturating_add(1)))),
        }
    }

    async fn write(&self, visit: &mut Visit<'_>, permission: &Permission, is_new: bool) -> Result<(), Failure> {
        let table = &visit.api.permissions;
        match is_new {
            true => visit.insert(table, &permission.key, permission.members()).await?,
            false => visit.update(table, &permission.key, permission.members()).await?,
        }
        Ok(())
    }
}
