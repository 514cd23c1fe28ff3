//! Headers and status codes as serde sees them. Bytes that are none are an error, and so a miss.

/// Every line of every header, in order.
pub(crate) mod headers {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(headers: &HeaderMap, to: S) -> Result<S::Ok, S::Error> {
        // Some formats want to know beforehand how many there are, which a map's iterator does not say.
        let lines = headers.iter().map(|(name, value)| (name.as_str(), Line(value.as_bytes())));
        to.collect_seq(lines.collect::<Vec<_>>())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderMap, D::Error> {
        let lines: Vec<(String, Bytes)> = Vec::deserialize(from)?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().map_err(Error::custom)?;
            let value = HeaderValue::from_maybe_shared(value).map_err(Error::custom)?;
            // More lines than a map holds are no headers.
            headers.try_append(name, value).map_err(Error::custom)?;
        }
        Ok(headers)
    }

    struct Line<'a>(&'a [u8]);

    impl serde::Serialize for Line<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_bytes(self.0)
        }
    }
}

/// The number.
pub(crate) mod status {
    use http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(status.as_u16())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(from)?).map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Forged {
        #[serde(with = "super::headers")]
        headers: HeaderMap,
        #[serde(with = "super::status")]
        status: StatusCode,
    }

    #[test]
    fn bytes_that_are_no_response_are_an_error() {
        let read = |status: &str, name: &str, byte: u8| {
            let text = format!(r#"{{"status":{status},"headers":[["{name}",[{byte}]]]}}"#);
            serde_json::from_str::<Forged>(&text)
        };
        let fine = read("200", "x-own", b'1').unwrap();
        assert_eq!((fine.status, &fine.headers["x-own"] == "1"), (StatusCode::OK, true));
        assert!(read("99", "x-own", b'1').is_err() && read("70000", "x-own", b'1').is_err());
        assert!(read("200", "x own", b'1').is_err() && read("200", "", b'1').is_err());
        assert!(read("200", "x-own", b'\n').is_err());
    }
}
