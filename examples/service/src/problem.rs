//! What is answered when something is wrong, as RFC 9457 has it.

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::db::DbError;

#[derive(Debug)]
pub(crate) enum Problem {
    NotFound,
    SignInFirst,
    WrongPassword,
    Database(DbError),
}

#[derive(Serialize)]
struct Body {
    status: u16,
    title: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "There is no such thing"),
            Self::SignInFirst => (StatusCode::UNAUTHORIZED, "Sign in first: POST /session"),
            Self::WrongPassword => (StatusCode::FORBIDDEN, "No such user, or not this password"),
            Self::Database(error) => {
                tracing::error!(%error, "a query failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something is wrong here")
            }
        };
        let body = Json(Body { status: status.as_u16(), title });
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
