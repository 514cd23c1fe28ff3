//! What generated code names. Not part of the public interface: it changes without notice.

mod a_cache;
mod batch;
mod call;
mod kept;
mod renew;
mod serving;
mod shape;
pub mod sharing;
mod spec;
mod subject;
mod timeout;
mod writer;

pub use self::{
    a_cache::ACache,
    batch::{
        Batch, BatchValue, Collection, EachOk, EachPlainly, Element, Look, NothingInside, Returns,
        Values, Whole, Wrapping, batch, returns,
    },
    call::{Given, Miss, current, given, lookup},
    kept::{Kept, KeptRef, keep, keep_ref, lend},
    renew::{Begun, Loading, Renewal, Served, look},
    shape::{
        NotHidden, NotHiddenOption, OptionShape, Outcome, PlainOk, PlainShape, Plainly,
        ResultOptionShape, ResultShape, Shape, Value,
    },
    spec::{Layer, Site, Spec, Tags, Ttl, here_part, memory, shared},
    timeout::{TimesOut, timeout, times_out},
    writer::{After, Holds, IntoTarget, Target, Write, write_through, writer},
};
pub(crate) use self::{
    call::Subject,
    serving::Serving,
    spec::{BY_HAND, LifeOf},
};
pub use crate::{
    blocking::{entry_sync, fn_cache_sync},
    entry::{entry, fn_cache},
    key::{hashed, marker, part, rendered, type_part},
    registry::{
        Kind,
        record::{Record, named},
    },
};
pub use cache_template::Values as Texts;
pub use inventory;
