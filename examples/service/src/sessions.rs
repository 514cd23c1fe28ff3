//! Who is signed in, and what becomes of that while Redis is away.
//!
//! A session is data, so Larder never makes one up: an operation that cannot be asked for is an error. To answer that with 503
//! would sign everybody out for as long as an outage takes. So each confirmed session comes with a [`crate::ticket`], a
//! signed line that is good for five minutes, and while Redis cannot be asked the ticket speaks for the session:
//!
//! - who was there in the last five minutes stays signed in,
//! - who signs in is given a ticket alone, and signs in again after five minutes,
//! - who signs out is signed out here at once, and in Redis as soon as it can be told, which is answered with 202.
//!
//! The price: a session that was ended in the last minutes before an outage may be taken for alive during it, by who kept the ticket.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request},
    middleware::Next,
    response::{AppendHeaders, IntoResponse, Response},
};
use larder::{Cache, SessionId, SessionStore, Status};
use serde::{Deserialize, Serialize};

use crate::{config::Config, problem::Problem, routes::Service, ticket, ticket::Tickets};

const SESSION: &str = "session";
const TICKET: &str = "ticket";

/// What a session holds.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Device {
    name: String,
}

#[derive(Clone)]
pub(crate) struct Sessions {
    store: SessionStore<Device>,
    tickets: Tickets,
    password: blake3::Hash,
    secure: bool,
}

/// Who asks; an extension that only [`identify`] adds.
#[derive(Clone)]
pub(crate) struct User(pub(crate) Arc<str>);

impl Sessions {
    pub(crate) fn new(config: &Config, cache: &Cache) -> Self {
        Self {
            store: SessionStore::new(cache).name("web").idle("30m").absolute("12h"),
            tickets: Tickets::new(config.secret),
            password: blake3::hash(config.password.as_bytes()),
            secure: config.secure_cookies,
        }
    }

    /// Who sent these cookies, and the cookie to renew, if one is.
    async fn who(&self, headers: &HeaderMap) -> Option<(String, Option<HeaderValue>)> {
        let (session, ticket) = (cookie(headers, SESSION), cookie(headers, TICKET));
        let ticketed = ticket.and_then(|ticket| self.tickets.check(ticket, session));
        let Some(id) = session.and_then(SessionId::parse) else {
            // From a sign-in while Redis was away.
            return ticketed.map(|(user, _)| (user, None));
        };
        match self.store.get(&id).await {
            Ok(Some(confirmed)) => {
                let user = confirmed.user()?.to_owned();
                let fresh = ticketed.is_some_and(|(of, is_fresh)| of == user && is_fresh);
                let renewed = (!fresh).then(|| self.ticket(&user, session));
                Some((user, renewed))
            }
            Ok(None) => None,
            Err(error) if error.status() == Status::Temporary => {
                tracing::debug!(%error, "a ticket speaks for its session");
                ticketed.map(|(user, _)| (user, None))
            }
            // It cannot be read.
            Err(error) => {
                tracing::error!(%error, "a session is none");
                None
            }
        }
    }

    fn ticket(&self, user: &str, session: Option<&str>) -> HeaderValue {
        self.cookie(TICKET, &self.tickets.issue(user, session), ticket::LIFE)
    }

    fn cookie(&self, name: &str, value: &str, life: Duration) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = life.as_secs();
        let cookie =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
        // Names of users, digits and the like.
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }

    fn forgotten(&self) -> AppendHeaders<[(header::HeaderName, HeaderValue); 2]> {
        let none = |name| (header::SET_COOKIE, self.cookie(name, "", Duration::ZERO));
        AppendHeaders([none(SESSION), none(TICKET)])
    }
}

/// Finds out who asks. Around everything that is told who it is for.
pub(crate) async fn identify(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let who = service.sessions.who(request.headers()).await;
    let renewed = who.and_then(|(user, renewed)| {
        request.extensions_mut().insert(User(user.into()));
        renewed
    });
    let mut response = next.run(request).await;
    // Whoever signs in or out says himself what the client keeps.
    if let Some(renewed) = renewed.filter(|_| !response.headers().contains_key(header::SET_COOKIE))
    {
        response.headers_mut().append(header::SET_COOKIE, renewed);
    }
    response
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
}

/// `POST /session`
pub(crate) async fn sign_in(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(Credentials { name, password }): Json<Credentials>,
) -> Result<Response, Problem> {
    let sessions = &service.sessions;
    let is_name =
        (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    // Of hashes, in constant time.
    if blake3::hash(password.as_bytes()) != sessions.password || !is_name {
        return Err(Problem::WrongPassword);
    }
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let device = Device { name: agent.unwrap_or("unknown").chars().take(100).collect() };
    // A new id whatever the client brought.
    let id = match sessions.store.create(&name, device).await {
        Ok(session) => Some(session.id().expose()),
        Err(error) => {
            tracing::warn!(%error, "signed in with a ticket alone");
            None
        }
    };
    let life = Duration::from_secs(12 * 3600);
    let session = match &id {
        Some(id) => sessions.cookie(SESSION, id, life),
        None => sessions.cookie(SESSION, "", Duration::ZERO),
    };
    let ticket = sessions.ticket(&name, id.as_deref());
    let cookies = AppendHeaders([(header::SET_COOKIE, session), (header::SET_COOKIE, ticket)]);
    Ok((StatusCode::CREATED, cookies).into_response())
}

/// `GET /session`
pub(crate) async fn signed_in(State(service): State<Service>, User(user): User) -> Response {
    let listed = service.sessions.store.user_sessions(&user).await;
    // Not known while Redis is away.
    let sessions = listed.ok().map(|listed| listed.len());
    Json(SignedIn { user, sessions }).into_response()
}

#[derive(Serialize)]
struct SignedIn {
    user: Arc<str>,
    sessions: Option<usize>,
}

/// `DELETE /session`
pub(crate) async fn sign_out(State(service): State<Service>, headers: HeaderMap) -> Response {
    let sessions = service.sessions;
    let forgotten = sessions.forgotten();
    let Some(id) = cookie(&headers, SESSION).and_then(SessionId::parse) else {
        return (StatusCode::NO_CONTENT, forgotten).into_response();
    };
    (sessions.end(What::One(id)).await, forgotten).into_response()
}

/// `DELETE /sessions`: on all devices.
pub(crate) async fn sign_out_everywhere(
    State(service): State<Service>,
    User(user): User,
) -> Response {
    let sessions = service.sessions;
    let forgotten = sessions.forgotten();
    (sessions.end(What::AllOf(user)).await, forgotten).into_response()
}

enum What {
    One(SessionId),
    AllOf(Arc<str>),
}

impl Sessions {
    /// Ends sessions: now, or in the background as soon as Redis can be told. Where this process ends before that, they end when
    /// they were idle for long enough.
    async fn end(self, what: What) -> StatusCode {
        if self.try_to_end(&what).await.is_ok() {
            return StatusCode::NO_CONTENT;
        }
        tokio::spawn(async move {
            while self.try_to_end(&what).await.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        StatusCode::ACCEPTED
    }

    async fn try_to_end(&self, what: &What) -> larder::Result<()> {
        match what {
            What::One(id) => self.store.delete(id).await.map(drop),
            What::AllOf(user) => self.store.invalidate_user_sessions(user).await.map(drop),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        request.extensions.get::<Self>().cloned().ok_or(Problem::SignInFirst)
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split("; ")).filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(named, _)| *named == name).map(|(_, value)| value)
}
