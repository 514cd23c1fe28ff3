//! The body of an answer: one that was cached, or the service's own on its way through.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

/// The body of a response that went through a [`CacheService`](crate::CacheService).
///
/// ```
/// use cache_http::ResponseBody;
/// use http_body::Body;
/// use http_body_util::Full;
///
/// fn length(body: &ResponseBody<Full<bytes::Bytes>>) -> Option<u64> {
///     body.size_hint().exact() // known, where the response was cached
/// }
/// # let _ = length;
/// ```
pub struct ResponseBody<B: Body> {
    /// What was cached, or read before it was clear that the body would not be.
    ready: VecDeque<Frame<Bytes>>,
    /// How reading it ended too early.
    failed: Option<Box<B::Error>>,
    rest: Option<Pin<Box<B>>>,
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn empty() -> Self {
        Self { ready: VecDeque::new(), failed: None, rest: None }
    }

    pub(crate) fn whole(body: Bytes) -> Self {
        let frame = Some(body).filter(|body| !body.is_empty()).map(Frame::data);
        Self { ready: frame.into_iter().collect(), ..Self::empty() }
    }

    pub(crate) fn through(body: B) -> Self {
        Self { rest: Some(Box::pin(body)), ..Self::empty() }
    }

    /// How many bytes are ready.
    fn held(&self) -> u64 {
        let lengths = self.ready.iter().filter_map(|frame| frame.data_ref().map(Bytes::len));
        lengths.map(|length| length as u64).sum()
    }

    /// What is ready, in one piece, when it is data alone and nothing is to follow.
    fn in_one_piece(&self) -> Option<Bytes> {
        if self.failed.is_some() {
            return None;
        }
        let pieces: Option<Vec<&Bytes>> = self.ready.iter().map(Frame::data_ref).collect();
        match pieces?.as_slice() {
            [one] => Some(Bytes::clone(one)),
            pieces => Some(pieces.iter().flat_map(|piece| piece.iter().copied()).collect()),
        }
    }
}

/// What became of reading a body.
pub(crate) enum Read<B: Body> {
    /// All of it.
    Whole(Bytes),
    /// It is too large, has trailers or failed: this is it, with what was read in front.
    Through(ResponseBody<B>),
}

/// Reads a body of at most `limit` bytes. Of a larger one no more is read than the frame that goes beyond.
pub(crate) async fn read<B: Body<Data = Bytes>>(body: B, limit: u64) -> Read<B> {
    let mut rest = Box::pin(body);
    let mut read = ResponseBody::empty();
    while let Some(frame) = rest.as_mut().frame().await {
        match frame {
            Ok(frame) => read.ready.push_back(frame),
            Err(error) => read.failed = Some(Box::new(error)),
        }
        if read.failed.is_some() || read.held() > limit {
            read.rest = Some(rest);
            return Read::Through(read);
        }
    }
    match read.in_one_piece() {
        Some(body) => Read::Whole(body),
        None => Read::Through(read),
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let body = self.get_mut();
        if let Some(frame) = body.ready.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = body.failed.take() {
            return Poll::Ready(Some(Err(*error)));
        }
        match &mut body.rest {
            Some(rest) => rest.as_mut().poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = |rest: &Pin<Box<B>>| rest.is_end_stream();
        self.ready.is_empty() && self.failed.is_none() && self.rest.as_ref().is_none_or(is_over)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(self.held().saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(self.held().saturating_add(upper));
        }
        hint
    }
}

impl<B: Body> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cached = self.rest.is_none();
        f.debug_struct("ResponseBody")
            .field("ready", &self.held())
            .field("cached", &is_cached)
            .finish()
    }
}
