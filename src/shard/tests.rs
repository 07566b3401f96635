//! Moving a watch between groups while publications are on their way to the shard.

use super::*;
use crate::audience::Sight;
use crate::dialect::monorail::Monorail;
use crate::event::{Audience, Entry, Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::Filter;
use crate::hub::form::{Form, Told};
use crate::hub::{Delivery, News, Wish};
use crate::log::Retention;
use crate::log::memory::MemoryLog;
use crate::message::Address;
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

struct Deaf;

impl Owner for Deaf {
    fn held_back(&self, _after: Offset) {}
    fn reset(&self, _watch: WatchId, _offset: Offset, _reason: Reason) {}
}

/// A shard whose hub has published up to an offset, and is not heard of on its own.
fn shard(published: Offset) -> (Rc<Shard>, Vec<mpsc::Receiver<Publication>>) {
    let (hub, publications) = Hub::new("e1".into(), published, 1, Arc::default());
    let settings = Settings::of_a_test();
    let state = State {
        sockets: Sockets::default(),
        groups: HashMap::new(),
        retired: VecDeque::new(),
        processed: published,
        flushes: 0,
        push_bytes: settings.push_bytes,
    };
    let shard = Shard {
        id: 0,
        hub: Arc::new(hub),
        log: Arc::new(MemoryLog::new(Retention { entries: None, bytes: None, age: None })),
        metrics: Arc::default(),
        runtime: tokio::runtime::Handle::current(),
        settings,
        scratch: RefCell::new(Box::default()),
        state: RefCell::new(state),
        advanced: Notify::new(),
        is_going_down: Cell::new(false),
        sockets: Arc::default(),
        commands: mpsc::UnboundedSender::downgrade(&mpsc::unbounded_channel().0),
    };
    (Rc::new(shard), publications)
}

/// A new socket of the shard, and its peer.
async fn socket(shard: &Shard) -> (SocketId, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peer = TcpStream::connect(listener.local_addr().expect("an address"));
    let (peer, accepted) = tokio::join!(peer, listener.accept());
    let wire = Wire::plain(accepted.expect("accepted").0);
    (shard.add(Rc::new(wire), Rc::new(Deaf), Manners::default()), peer.expect("connected"))
}

fn wish(channel: &str) -> Wish {
    let address = Address { channel: channel.into(), reference: None };
    let form = Form { dialect: Arc::new(Monorail::new()), address, positions: false, patch: false };
    Wish { resource: "nodes".into(), filter: Arc::new(Filter::All), sight: Sight::default(), form }
}

/// Lets the hub publish entries up to an offset, which do not reach the shard yet.
fn publish(shard: &Shard, upto: Offset) {
    let entry = |offset| {
        let event = ResourceEvent {
            resource: "others".into(),
            id: "o1".into(),
            operation: Operation::Created,
            before: None,
            after: None,
            time: Timestamp(0),
            stamp: Stamp::None,
        };
        Arc::new(Entry { offset, audience: Audience::Everyone, event })
    };
    let entries: Vec<_> = (shard.hub.published() + 1..=upto).map(entry).collect();
    let hub = &shard.hub;
    std::thread::scope(|scope| scope.spawn(|| hub.publish(&entries, None)).join()).expect("it is published");
}

/// Where the watches of a socket are, newest last.
fn groups(shard: &Shard, id: SocketId) -> Vec<GroupId> {
    let state = shard.state.borrow();
    state.sockets.get(id).expect("a socket").places.iter().map(|place| place.group).collect()
}

/// How many frames these entries of these groups lead to.
fn flush(shard: &Shard, entries: &[(Offset, GroupId)], upto: Offset) -> u64 {
    let told = Told { frame: Bytes::from_static(b"frame"), row: None };
    let delivery = |(offset, group): &(Offset, GroupId)| Delivery {
        group: *group,
        offset: *offset,
        news: News::Change(told.clone()),
    };
    shard.state.borrow_mut().flush(entries.iter().map(delivery).collect(), upto).deliveries
}

#[tokio::test]
async fn a_watch_that_read_ahead_in_the_log_is_not_told_again_in_its_next_group() {
    let (shard, _publications) = shard(5);
    let (id, _peer) = socket(&shard).await;
    shard.join(id, 1, &wish("a"), None);
    // The log was read up to 8, of which the hub has published up to 5.
    shard.go_live(id, 1, 8);
    shard.regroup(id, 1, &wish("b"), None);
    let all = groups(&shard, id);
    let entries: Vec<_> = (6..=10).flat_map(|offset| all.iter().map(move |group| (offset, *group))).collect();
    assert_eq!(flush(&shard, &entries, 10), 2);
}

#[tokio::test]
async fn a_membership_that_ends_does_not_end_the_one_that_took_its_number() {
    let (shard, _publications) = shard(0);
    let (keeper, _peer) = socket(&shard).await;
    shard.join(keeper, 1, &wish("a"), None);
    let (first, _peer) = socket(&shard).await;
    let from = shard.join(first, 1, &wish("a"), None);
    shard.go_live(first, 1, from);
    shard.regroup(first, 1, &wish("b"), None);
    shard.remove(first);

    let (second, _peer) = socket(&shard).await;
    let from = shard.join(second, 1, &wish("a"), None);
    shard.go_live(second, 1, from);
    publish(&shard, 3);
    shard.regroup(second, 1, &wish("b"), None);
    let old = groups(&shard, second)[0];
    assert_eq!(flush(&shard, &[(1, old)], 1), 1);
    assert_eq!(flush(&shard, &[(2, old), (3, old)], 3), 2);
    assert_eq!(groups(&shard, second).len(), 1);
}

/// A new socket with manners of its own.
async fn socket_with(shard: &Shard, manners: Manners) -> (SocketId, TcpStream) {
    let (id, peer) = socket(shard).await;
    if let Some(socket) = shard.state.borrow_mut().sockets.get_mut(id) {
        socket.manners = manners;
    }
    (id, peer)
}

#[tokio::test]
async fn a_socket_that_does_not_read_what_is_pushed_is_told_to_go_and_its_neighbour_gets_all() {
    let pushing = async {
        let (shard, _publications) = shard(0);
        let few = Manners { waiting: Waiting { frames: 8, bytes: usize::MAX }, ..Manners::default() };
        let (deaf, _unread) = socket_with(&shard, few.clone()).await;
        let (keen, mut reader) = socket_with(&shard, few).await;
        let frame = Bytes::from(vec![b'x'; 256 * 1024]);
        let mut buffer = vec![0; frame.len()];
        let mut pushed = 0;
        while shard.is_open(deaf) {
            shard.push(deaf, &frame);
            shard.push(keen, &frame);
            tokio::io::AsyncReadExt::read_exact(&mut reader, &mut buffer).await.expect("all of it");
            pushed += 1;
            assert!(pushed < 1_000, "it is never too much");
        }
        assert!(shard.is_open(keen));
    };
    LocalSet::new().run_until(pushing).await;
}

#[tokio::test]
async fn one_push_always_fits_and_an_answer_is_never_too_much() {
    let pushing = async {
        let (shard, _publications) = shard(0);
        let none = Manners { waiting: Waiting { frames: 1, bytes: 1 }, ..Manners::default() };
        let (id, _unread) = socket_with(&shard, none).await;
        let big = Bytes::from(vec![b'x'; 16 << 20]);
        shard.push(id, &big);
        assert!(shard.is_open(id));
        shard.send(id, &big);
        assert!(shard.is_open(id));
        shard.push(id, &big);
        assert!(!shard.is_open(id));
    };
    LocalSet::new().run_until(pushing).await;
}

#[tokio::test]
async fn a_socket_is_given_up_when_nothing_is_heard_but_not_while_it_is_not_read() {
    let keeping = async {
        let (shard, _publications) = shard(0);
        let silence = Some(Duration::from_millis(300));
        let manners = Manners { keepalive: Some(Keepalive { ping: None, silence }), ..Manners::default() };
        let (silent, _one) = socket_with(&shard, manners.clone()).await;
        let (busy, _two) = socket_with(&shard, manners).await;
        shard.busy(busy, true);
        shard.look_after(silent);
        shard.look_after(busy);
        shard.ended(silent).await;
        assert!(shard.is_open(busy));
        shard.busy(busy, false);
        shard.ended(busy).await;
    };
    tokio::time::timeout(Duration::from_secs(30), LocalSet::new().run_until(keeping)).await.expect("both end");
}
