//! Tidings tells people what changed: it follows databases and pushes every change, in order and with nothing
//! missing, to whoever watches.
//!
//! This is the map: a drawing, the promises, the modules in the order in which to read them, and what is built
//! differently from what one would expect.
//!
//! # The drawing
//!
//! ```text
//!   Postgres   MongoDB   RabbitMQ   embedded   browser    service    tail
//!      │          │         │       store │      ▲          ▲         ▲
//!      ▼          ▼         ▼             ▼      ▼          ▼         ▼
//!   source: one product's change → event      wire, frame: bytes ⇄ messages
//!      │                                         │                    ▲
//!      ▼                                         ▼                    │
//!    pump ───▶ log ───▶ hub                 connection ── dialect: text ⇄ request, notice
//!               │        │                       │
//!               │        └── matched, encoded ─▶ shard: sockets and groups, one thread per core
//!               │                                ▲
//!               └─────────── missed ──────── session: the state of one client
//!                                                │
//!                               store ◀── lists ─┘
//! ```
//!
//! A change goes down the left side: a [`source`] makes an [`event`] of it, the [`pump`] puts it into the [`log`]
//! and shows it to the [`hub`], which finds the groups of equal watches that it concerns, has the [`dialect`]
//! encode it once for each form, and hands it to the [`shard`]s, which write it to their members. A request goes
//! down the right side: the [`connection`] reads it, its [`talk`] has the dialect decode it and the [`session`] act on it.
//!
//! # The promises
//!
//! Each names the tests that keep it; `it::` is `tests/it`, the rest are beside the code.
//!
//! 1. **An entry is in the log before anyone sees it**, and a source is acknowledged only after that.
//!    `it::kill::a_kill_loses_no_confirmed_change_and_repeats_none`
//! 2. **Joining names the seam.** The hub returns, under the lock that adds the watcher, the offset where live
//!    begins: history up to it, live after it, no gap, no repeat.
//!    `it::exact::every_watch_is_exact_while_transactions_overlap_and_fail`
//! 3. **A list is exact**: the state at one snapshot; every change not contained in that snapshot follows once, and
//!    none that is contained. The same test, `…_by_slot`, `it::exact::every_watch_of_mongodb_is_exact`,
//!    `it::exact::every_watch_of_the_embedded_store_is_exact`,
//!    `it::monorail` `r5_between_the_list_and_the_changes_there_is_no_gap_and_no_repeat`
//! 4. **A resume is honest**: `complete` and exactly what was missed, or a named reason and a fresh list. Never a
//!    partial answer that looks whole. Transcripts `resuming` and `short_memory`;
//!    `it::resume::with_a_log_in_memory_every_kill_is_owned_up_to`,
//!    `it::monorail::slow::a_watch_with_a_list_whose_gap_is_no_longer_kept_is_told_so_and_gets_a_fresh_list`
//! 5. **Live and history ask the same verdict** ([`hub::verdict`]), so what may not be seen in one is not seen in
//!    the other. `hub::verdict::every_row_of_the_table_of_transitions`,
//!    `an_audience_shows_an_entry_to_its_subjects_only`. Every way of reading and writing goes by what [`access`]
//!    makes of a viewer: `it::access::matrix`; a right that comes or goes takes effect at once:
//!    `it::access::exact::nobody_is_told_what_is_not_for_them_whatever_changes_in_postgres`, `…_in_the_embedded_store`
//! 6. **A slow client costs itself only.** It has a bounded mailbox, and past that it is a cursor in the log.
//!    `it::monorail::slow::r5_a_stalled_reader_among_500_costs_bounded_memory_delays_nobody_and_misses_nothing`
//! 7. **A dialect never awaits, a session never names a wire field**; they meet in [`talk`] only.
//!    `floors::no_module_uses_its_own_floor_or_a_higher_one`
//! 8. **Nothing from outside can panic or grow memory without bound.** `frame::decode`,
//!    `dialect::monorail::tests::torn` on torn bytes,
//!    `it::monorail` `random_bytes_end_their_connection_and_nothing_else`,
//!    `it::monorail::input::r1_what_stopped_the_process_is_survived_and_unnoticed_by_others`
//! 9. **Ends are named**: a source's run ([`source::End`]), a connection's goodbye ([`message::Goodbye`], with a
//!    code that says whether to come back). `it::serve_end`,
//!    `it::demo::ctrl_c_ends_a_demo_at_once_and_well`
//! 10. **Positions, not processes, carry state**: with the log on disk, kill −9 at any moment loses no committed
//!     change for a client that resumes, and repeats none.
//!     `it::resume::with_a_log_on_disk_no_kill_makes_a_resume_incomplete`, `with_mongodb_…`, `it::kill`,
//!     `it::rabbitmq::exact`,
//!     `log::disk::what_was_acknowledged_is_there_after_kill_9_and_nothing_is_half_there`,
//!     `a_machine_that_went_down_means_a_new_epoch_unless_every_append_was_on_the_disk`
//!
//! # The modules, in reading order
//!
//! Each uses modules of lower floors only; `floors.rs` has the floors, and its test reads the sources.
//!
//! - Words: [`error`] · [`pace`] · [`document`] · [`filter`] · [`viewer`] · [`resource`] · [`event`] has entries, positions,
//!   stamps and marks · [`query`] · [`reading`] of messages as changes · [`message`] is what clients ask and are
//!   told, without any wire format · [`access`] who may see what, [`audience`] who may see one entry · [`interest`]
//!   what a source is to ask for · [`finding`] of a doctor
//! - File stores: [`files`] has rows, roles and what is told of a change, for the dialect and the API of that name
//! - Members of encrypted boxes: [`misakey`] has who is in which box, what each is told, and what each has not seen
//! - The engine: [`log`] · [`index`] finds filters without trying them all · [`hub`] · [`replica`] what the pump knows
//!   of other records · [`pump`] · [`mailbox`] · [`shard`] · [`session`] ·
//!   [`talk`] · [`broadcast`] what an operator says
//! - Pushes: [`relay`] between nodes · [`jac`] who can be reached, who may push, and operations that do
//! - Products: [`store`] reads and writes · [`source`] follows · [`supervise`] starts sources again · [`postgres`],
//!   [`mongodb`] and [`rabbitmq`] what several need of these · [`pairs`] and [`record`] what the disk holds ·
//!   [`catalog`] what is served
//! - The wire: [`frame`] · [`wire`] · [`handshake`] · [`door`] lets sockets in · [`dialect`] · [`patch`] · [`connection`] ·
//!   [`server`]
//! - Dialects with a talk of their own: [`cells`] has who may see what of a tree, the desk that tells, and the chat
//! - Doors: [`api`] HTTP · [`console`] the page · [`auth`] tokens · [`config`] · [`metrics`] · [`demo`] ·
//!   [`mod@bench`]
//! - The whole: [`app`] is the one place that names concrete parts; [`cli`] is what the program understands
//!
//! # Architecture: what differs from the obvious
//!
//! - **A position may carry a mark.** A list is read while changes go on, and some of them may be in the list
//!   though the log has them later. Until the log has passed all of those, the list's position is
//!   `epoch:offset:mark`, where the mark is the snapshot of the list; a resume from it leaves out what the mark
//!   contains. So every position is safe to store the moment it arrives.
//! - **What to leave out is decided by visibility, not by order.** A change is left out of what follows a list if
//!   the list's snapshot contains its transaction. A cut by time, sequence or WAL position is wrong: a commit is in
//!   the WAL before it is visible. For the same reason the hub remembers recent stamps: an entry may be logged
//!   before a snapshot can see it, and then has to be offered again behind the list.
//! - **A feed of messages is measured by itself.** A broker's messages carry no version that a row could be compared
//!   with, so the mark of such a resource is how many were received: a barrier waits for those, and a list whose rows
//!   are in another store is followed by everything received since before it was read. What a source must ask a
//!   broker for is told by the watches ([`interest`]), and since when a pattern is followed decides whether a resume
//!   can be complete.
//! - **Rights are computed where the change stands in the log.** A [`replica`] in the pump knows the grants at that
//!   place and puts an audience on the entry, for the version before it and the one after. So a change of rights is an
//!   entry like any other, told as `item` or `remove` by the one verdict, live and in a resume, and the hub finds whom
//!   an entry concerns by the names in its audience. What a file store tells is finished there too: a message with its
//!   recipients is in the log in the same step as the change.
//! - **Joining may come before the handshake.** Where a client is owed everything that is committed after it saw its
//!   socket open, the door takes the position before it answers, and the session goes on from there: joining and
//!   resuming are one. What cannot be told whole then ends the connection, for its client would not notice a gap.
//! - **The shard is below the session.** It owns sockets and groups and writes without asking; it knows the session
//!   only as an [`Owner`](shard::Owner), which it tells that pushes were held back or that history broke. So live
//!   delivery, the hot path, touches no state of a client.
//! - **Everything of a socket lives on one thread.** Session, mailbox and memberships are `Rc` and `RefCell`: no
//!   lock between a change and the write, and never a borrow across an await.
//! - **There is one reader of the log per connection**, only while something is behind: after a list, after a
//!   resume, after being slow. It moves all watches that are behind together, in log order, and hands each to the
//!   shard once it has reached what the shard hands out. Catching up and resuming are the same code.
//! - **A refusal may be late, a credential never is.** A gate verifies first and slows down only what it refuses, so
//!   whoever guesses cannot keep others out. What cannot be judged, because an issuer is away, is not called bad. A
//!   session holds the lease that its viewer's rights rest on, and looks after its end itself.
//! - **Frames are written here, once per form.** A server's frames are not masked, so they are equal for everybody;
//!   a group's frames are one contiguous buffer, written to each member in turn.

pub mod access;
pub mod api;
pub mod app;
pub mod audience;
pub mod auth;
pub mod bench;
pub mod broadcast;
pub mod catalog;
pub mod cells;
pub mod cli;
pub mod config;
pub mod connection;
pub mod console;
pub mod demo;
pub mod dialect;
pub mod document;
pub mod door;
pub mod error;
pub mod event;
pub mod files;
pub mod filter;
pub mod finding;
#[cfg(test)]
mod floors;
pub mod frame;
#[cfg(test)]
#[path = "../tests/it/generate.rs"]
mod generate;
pub mod handshake;
pub mod hub;
pub mod index;
pub mod interest;
pub mod jac;
pub mod log;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod misakey;
pub mod mongodb;
pub mod pace;
pub mod pairs;
pub mod patch;
pub mod postgres;
pub mod pump;
pub mod query;
pub mod rabbitmq;
pub mod reading;
pub mod record;
pub mod relay;
pub mod replica;
pub mod resource;
pub mod server;
pub mod session;
pub mod shard;
pub mod source;
pub mod store;
pub mod supervise;
pub mod talk;
pub mod viewer;
pub mod wire;
