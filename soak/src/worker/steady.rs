//! Calls at a fixed rate, each of them timed: what a service feels.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tokio::{runtime::Handle, time::timeout};

use super::{
    Shop,
    cached::{
        Write, guarded, item, item_entry, item_strictly, list, new, regroup, rewrite_guarded,
        rewrite_item,
    },
    readers::{refused, tell},
    source::{Lost, apart_from_body},
    writers::{ended, held, in_group},
};
use crate::{
    clock::Moment,
    wire::{Call, End, Held, How, Record, Way},
    world::{GROUPS, Kind, Reader, Row, Subject},
};

/// What comes between two calls of the first worker, which is the one that is measured.
const MEASURED: Duration = Duration::from_millis(2);
/// The others are there to change what the first one has in memory.
const OTHERS: Duration = Duration::from_millis(20);
/// A call that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the cache is asked how it is.
const PULSE: Duration = Duration::from_millis(25);
/// The pacemaker wakes up a little late always; what is longer is the machine's fault.
const USUAL_LATENESS: Duration = Duration::from_millis(1);

/// A body waits for this long before and after it asks the source of truth.
pub(super) fn pause() -> Duration {
    Duration::from_millis(1)
}

pub(super) fn start(shop: &Arc<Shop>, seed: u64) {
    let desk = Arc::new(Desk {
        shop: Arc::clone(shop),
        lateness: Mutex::default(),
        map: Subject::items().map(|item| (item.key(), Row::new(item, 1))).collect(),
        count: AtomicU64::new(0),
    });
    let runtime = Handle::current();
    runtime.spawn(take_pulse(Arc::clone(shop)));
    // A call that panics ends the process, and the coordinator hears that.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        std::process::exit(101);
    }));
    // A thread of its own: a runtime that is blocked by the product must not look like a busy machine.
    thread::spawn(move || pace(&desk, &runtime, Rng::with_seed(seed)));
}

struct Desk {
    shop: Arc<Shop>,
    /// When the pacemaker woke up late, and by how much.
    lateness: Mutex<Vec<(Moment, Duration)>>,
    /// What hits are compared with.
    map: HashMap<String, Row>,
    count: AtomicU64,
}

/// Makes calls at their times, whether the ones before have ended or not.
fn pace(desk: &Arc<Desk>, runtime: &Handle, mut rng: Rng) {
    let period = if desk.shop.process.worker == 0 { MEASURED } else { OTHERS };
    let mut due = Instant::now();
    loop {
        due += period;
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
            desk.woke(due.elapsed());
        }
        let (desk, rng) = (Arc::clone(desk), rng.fork());
        runtime.spawn(async move { desk.serve_in_time(rng).await });
    }
}

async fn take_pulse(shop: Arc<Shop>) {
    loop {
        shop.log.lives(shop.cache.health().await.session == Some(true));
        tokio::time::sleep(PULSE).await;
    }
}

impl Desk {
    async fn serve_in_time(&self, rng: Rng) {
        let began = Moment::now();
        if timeout(PATIENCE, self.serve(rng)).await.is_err() {
            self.shop.log.timed(Call {
                way: Way::Relaxed,
                began,
                took: PATIENCE,
                body: Duration::ZERO,
                late: self.late_since(began),
                yardstick: None,
                end: End::Failed,
            });
        }
    }

    async fn serve(&self, mut rng: Rng) {
        let one = Subject::item(rng.u16(..));
        match rng.u8(0..100) {
            0..56 => self.read(Way::Relaxed, one, Reader::Relaxed).await,
            56..70 => self.read(Way::Strict, one, Reader::Strict).await,
            70..80 => self.read(Way::Guarded, guarded_one(&mut rng), Reader::Relaxed).await,
            80..86 => self.read(Way::Relaxed, Subject::list(rng.u16(..)), Reader::Relaxed).await,
            86..94 => self.miss().await,
            94..96 => self.invalidate(one).await,
            96 => self.write(Way::Writer, in_group(rng.u16(0..GROUPS))).await,
            97 => self.write(Way::WriteThrough, vec![guarded_one(&mut rng)]).await,
            _ => self.write(Way::WriteThrough, vec![one]).await,
        }
    }

    async fn read(&self, way: Way, subject: Subject, reader: Reader) {
        let source = &self.shop.source;
        let began = Moment::now();
        let call = async {
            match (subject.kind(), reader) {
                (Kind::Item(n), Reader::Strict) => item_strictly(source, subject.shelf(), n).await,
                (Kind::Item(n), _) => item(source, subject.shelf(), n).await,
                (Kind::Guarded(n), _) => guarded(source, n).await,
                (Kind::List(n) | Kind::Raw(n) | Kind::Quiet(n), _) => list(source, n).await,
            }
        };
        let row = self.time(way, began, call, end_of).await;
        tell(&self.shop, subject, reader, began, row);
    }

    async fn miss(&self) {
        let shop = &self.shop;
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let call = new(&shop.source, shop.process.worker, n);
        // It depends on nothing, so that it cannot be stale.
        let _ = self.time(Way::Miss, Moment::now(), call, end_of).await;
    }

    /// Changes the source of truth and says so.
    async fn invalidate(&self, subject: Subject) {
        let (shop, Kind::Item(n)) = (&self.shop, subject.kind()) else { return };
        let versions = match shop.source.commit(vec![subject]) {
            Ok(versions) => versions,
            Err(Lost(why)) => return shop.log.tell(Record::Broken(why)),
        };
        let began = Moment::now();
        let call = item_entry(subject.shelf(), n).invalidate().into_future();
        let end =
            |answer: &larder::Result<()>| if answer.is_ok() { End::Well } else { End::Refused };
        let answer = self.time(Way::Explicit, began, call, end).await;
        if let Err(error) = &answer {
            shop.log.tell(refused(error));
        }
        ended(shop, How::Key, versions, began, held(&answer, false));
    }

    /// Changes the source of truth in the body of a writer.
    async fn write(&self, way: Way, subjects: Vec<Subject>) {
        let (first, shop) = (subjects[0], &self.shop);
        let mut write = Write::new(&shop.source, subjects);
        if way == Way::Writer || matches!(first.kind(), Kind::Item(_)) {
            write.subjects.extend(Subject::lists());
        }
        let began = Moment::now();
        let call = async {
            match (way, first.kind()) {
                (Way::Writer, _) => regroup(&write, first.group()).await,
                (_, Kind::Guarded(n)) => rewrite_guarded(&write, n).await,
                (_, Kind::Item(n) | Kind::List(n) | Kind::Raw(n) | Kind::Quiet(n)) => {
                    rewrite_item(&write, first.shelf(), n).await
                }
            }
        };
        let answer = self.time(way, began, call, end_of).await;
        if let Err(Lost(why)) = answer {
            return shop.log.tell(Record::Broken(why));
        }
        let how = if way == Way::Writer { How::Writer } else { How::WriteThrough };
        ended(shop, how, write.committed(), began, Held::Here);
    }

    async fn time<T>(
        &self,
        way: Way,
        began: Moment,
        call: impl Future<Output = T>,
        end: impl FnOnce(&T) -> End,
    ) -> T {
        let mut call = pin!(apart_from_body(call));
        let from = Instant::now();
        // A hit in memory is the one call that waits for nothing.
        let first = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        let at_once = first.is_ready();
        let (value, body) = match first {
            Poll::Ready(ended) => ended,
            Poll::Pending => call.await,
        };
        let took = from.elapsed();
        let is_hit = at_once && way == Way::Relaxed;
        let yardstick = is_hit.then(|| self.yardstick());
        let (late, end) = (self.late_since(began), end(&value));
        self.shop.log.timed(Call { way, began, took, body, late, yardstick, end });
        value
    }

    /// What the machine takes for the least that a hit in memory could be.
    fn yardstick(&self) -> Duration {
        let from = Instant::now();
        let key = format!("item:{}:{}", from.elapsed().as_nanos() % 4, 1);
        std::hint::black_box(self.map.get(key.as_str()).cloned());
        from.elapsed()
    }

    fn woke(&self, late: Duration) {
        if late < USUAL_LATENESS {
            return;
        }
        let mut lateness = self.lateness.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.push((Moment::now(), late));
        if lateness.len() > 20_000 {
            lateness.drain(..10_000);
        }
    }

    fn late_since(&self, began: Moment) -> Duration {
        let lateness = self.lateness.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.iter().rev().take_while(|(at, _)| *at >= began).map(|(_, late)| *late).sum()
    }
}

fn guarded_one(rng: &mut Rng) -> Subject {
    Subject::one_guarded(rng.u16(..))
}

fn end_of(answer: &Result<Row, Lost>) -> End {
    if answer.is_ok() { End::Well } else { End::Failed }
}
