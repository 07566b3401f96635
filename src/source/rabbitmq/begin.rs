//! The beginning of a connection: every resource has its exchange and its queue, bound as the place says, and is
//! consumed.

use super::following::{Following, Happening};
use super::queue::{self, Kept};
use crate::error::Result;
use crate::event::{Offset, Reason, ResourceEvent};
use crate::rabbitmq::connect::{self, channel};
use futures_util::stream::{self, BoxStream, StreamExt};
use lapin::Consumer;
use std::collections::HashSet;

impl Following<'_> {
    /// Opens every queue, and hears of new watches from here on.
    pub(super) async fn begin(&mut self, is_late: bool) -> Result<()> {
        let connection = self.connection.clone();
        connect::in_time(&*connection, self.discard_others()).await?;
        self.bindings.control = Some(connect::in_time(&*connection, channel(&connection)).await?);
        let mut is_behind = false;
        for number in 0..self.settings.bindings.len() {
            is_behind |= connect::in_time(&*connection, self.open(number, is_late)).await?;
        }
        self.feed.push(Vec::new(), Some(self.place.encode()), Some(self.settings.count.add(0))).await?;
        match is_behind {
            true => self.feed.health().behind(),
            false => self.feed.health().caught_up(),
        }
        for (number, binding) in self.settings.bindings.iter().enumerate() {
            let interests = binding.interests.clone();
            let wanted = stream::unfold(interests, move |interests| async move {
                interests.changed().await;
                Some((Happening::Wanted(number), interests))
            });
            self.happenings.push(wanted.boxed());
            self.settle(number).await?;
        }
        Ok(())
    }

    /// Queues that we made for resources which are no longer there.
    async fn discard_others(&mut self) -> Result<()> {
        let own: HashSet<String> =
            self.settings.bindings.iter().map(|binding| binding.queue(&self.settings.prefix)).collect();
        let others: Vec<String> = self.place.queues.keys().filter(|queue| !own.contains(*queue)).cloned().collect();
        for queue in others {
            queue::delete(&self.connection, &queue).await?;
            tracing::info!(source = %self.feed.source(), queue, "a queue that nothing needs any more is deleted");
            self.place.queues.remove(&queue);
        }
        Ok(())
    }

    /// Makes sure that a resource's exchange and queue are there and bound as the place says, and consumes. Whether
    /// many messages wait.
    async fn open(&mut self, number: usize, is_late: bool) -> Result<bool> {
        let binding = &self.settings.bindings[number];
        let queue = binding.queue(&self.settings.prefix);
        let had_exchange = queue::provide_exchange(&self.connection, &binding.exchange).await?;
        let mut depth = queue::depth(&self.connection, &queue).await?;
        let known = self.place.queues.get(&queue);
        let is_known = known.is_some();
        if !is_known && !binding.is_constant() && depth.is_some() {
            // It may be bound to anything.
            queue::delete(&self.connection, &queue).await?;
            depth = None;
        }
        let is_lost = is_known && (depth.is_none() || !had_exchange);
        if depth.is_none() {
            let expires = (!binding.is_constant()).then_some(binding.linger);
            queue::declare(&self.connection, &queue, binding.kept, expires).await?;
        }
        let is_new = depth.is_none();
        if is_lost {
            tracing::warn!(source = %self.feed.source(), queue, "a queue or its exchange was gone; messages may be missed");
            binding.interests.lose();
            self.place.queues.remove(&queue);
        }
        let state = self.place.queues.entry(queue.clone()).or_default();
        if is_new && binding.kept == Kept::Stream {
            state.next = Some(0);
        }
        let (channel, consumer) =
            queue::consume(&self.connection, &queue, binding.kept, self.settings.prefetch, state.next).await?;
        self.channels.push(channel);
        self.happenings.push(happenings(number, consumer));
        self.rebind(number, &queue).await?;
        let is_told = is_lost || (is_late && !is_known && binding.is_constant());
        if is_told {
            // After the bindings: a list that is read because of this misses nothing.
            let reset = ResourceEvent::reset(binding.resource.name.clone(), Reason::Source);
            self.replicas.entry(reset.resource.clone()).and_modify(|replica| replica.take(&reset));
            self.feed.push(vec![reset], Some(self.place.encode()), None).await?;
        }
        Ok(depth.is_some_and(|depth| depth.messages > u32::from(self.settings.prefetch)))
    }

    /// Binds what was followed before, and what the configuration wants; unbinds what may be left over.
    async fn rebind(&mut self, number: usize, queue: &str) -> Result<()> {
        let binding = &self.settings.bindings[number];
        let control = channel(&self.connection).await?;
        let state = self.place.queues.entry(queue.to_owned()).or_default();
        let wanted: Vec<String> = if binding.is_constant() { binding.interests.missing() } else { Vec::new() };
        let is_over = |(pattern, since): &(&String, &Option<Offset>)| {
            since.is_none() && !wanted.contains(pattern)
                || binding.is_constant()
                    && !binding.interests.followed().iter().any(|(known, _)| known == *pattern)
                    && !wanted.contains(pattern)
        };
        let over: Vec<String> = state.patterns.iter().filter(is_over).map(|(pattern, _)| pattern.clone()).collect();
        queue::unbind(&control, queue, &binding.exchange, &over).await?;
        state.patterns.retain(|pattern, _| !over.contains(pattern));
        for pattern in &wanted {
            state.patterns.entry(pattern.clone()).or_insert(None);
        }
        let patterns: Vec<String> = state.patterns.keys().cloned().collect();
        queue::bind(&control, queue, &binding.exchange, &patterns).await?;
        self.follow(number, queue, &wanted).await
    }
}

fn happenings(number: usize, consumer: Consumer) -> BoxStream<'static, Happening> {
    let messages = consumer.map(move |delivery| match delivery {
        Ok(message) => Happening::Message(number, Box::new(message)),
        Err(error) => Happening::Ended(number, Some(error)),
    });
    messages.chain(stream::once(async move { Happening::Ended(number, None) })).boxed()
}
