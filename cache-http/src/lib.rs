#![doc = include_str!("../README.md")]

mod body;
mod etag;
mod exchange;
#[cfg(feature = "axum")]
#[path = "axum.rs"]
mod for_axum;
mod key;
mod layer;
mod limit;
mod load;
mod plan;
mod rules;
mod service;
mod status;
mod stored;
mod wire;

#[cfg(feature = "axum")]
pub use crate::for_axum::{CacheHandle, cached_response};
pub use crate::{
    body::ResponseBody,
    key::{ResponseKey, path_tag, user_tag},
    layer::CacheLayer,
    limit::{RateLimitHeaders, RateLimitLayer, RateLimitService, Refusal, address_key},
    service::CacheService,
};
