//! What calls share that fly together, and who does.

use std::{
    any::TypeId,
    hash::{Hash, Hasher},
    ptr,
};

use crate::{
    clock::Moment,
    fence::Fence,
    flight::Leader,
    key::Key,
    private::Site,
    value::{Erased, Stored},
};

/// Calls with one key share a flight only if they would also accept each other's entries, and asked the same tiers.
#[derive(Clone)]
pub(crate) struct FlightKey {
    pub(super) key: Key,
    pub(super) value: TypeId,
    pub(super) site: &'static Site,
}

impl PartialEq for FlightKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && self.value == other.value
            && self.key.types() == other.key.types()
            && (ptr::eq(self.site, other.site) || share_flights(self.site, other.site))
    }
}

impl Eq for FlightKey {}

/// Whether calls of the one function are right in waiting for calls of the other.
fn share_flights(one: &Site, other: &Site) -> bool {
    one.version == other.version
        && one.rules == other.rules
        && one.layer == other.layer
        && one.lease.is_some() == other.lease.is_some()
        // What is not fresh and may be given to those who wait.
        && one.serving.of_flights() == other.serving.of_flights()
}

impl Hash for FlightKey {
    /// Calls with one key that do not share flights are rare, and hashing is a good part of a flight's cost.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key.hash());
    }
}

/// How a flight ended for those who waited.
#[derive(Clone)]
pub(crate) enum Landed {
    Value(Loaded),
    Error(Erased),
}

/// A value and what it depends on.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) value: Stored,
    pub(crate) fence: Fence,
    /// Callers that arrived later are not given it: another process may have invalidated it before they came. `None`
    /// where there is no other process.
    pub(crate) for_arrivals_until: Option<Moment>,
}

/// The right to land a flight.
pub(crate) type Flight = Leader<FlightKey, Fence, Landed>;
