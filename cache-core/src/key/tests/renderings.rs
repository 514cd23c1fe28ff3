use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    num::NonZero,
    path::Path,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    super::{KeyBuffer, KeyPart, KeyWriter},
    rendered,
};

#[track_caller]
fn assert_renders(part: &dyn KeyPart, text: &str) {
    assert_eq!(rendered(part), text);
}

#[test]
fn integers_are_their_digits() {
    assert_renders(&0u8, "0");
    assert_renders(&i8::MIN, "-128");
    assert_renders(&i64::MIN, "-9223372036854775808");
    assert_renders(&u64::MAX, "18446744073709551615");
    assert_renders(&u128::MAX, "340282366920938463463374607431768211455");
    assert_renders(&i128::MIN, "-170141183460469231731687303715884105728");
    assert_renders(&(-5isize), "-5");
    assert_renders(&NonZero::new(7u16), "7");
}

#[test]
fn text_is_escaped_and_empty_text_is_visible() {
    assert_renders(&"a:b c", "a%3Ab%20c");
    assert_renders(&"", "%~");
    assert_renders(&"%~", "%25~");
    assert_renders(&'é', "é");
    assert_renders(&'*', "%2A");
    assert_renders(&true, "true");
}

#[test]
fn pointers_look_like_what_they_point_to() {
    let mut text = String::from("x");
    assert_renders(&&mut text, "x");
    assert_renders(&Box::<str>::from("x"), "x");
    assert_renders(&Rc::<str>::from("x"), "x");
    assert_renders(&Arc::new(5), "5");
    assert_renders(&Cow::Borrowed("x"), "x");
    let dynamic: Box<dyn KeyPart> = Box::new(5);
    assert_renders(&dynamic, "5");
}

#[test]
fn equal_floats_have_one_form_and_no_needless_exponent() {
    assert_renders(&0.0f64, "0");
    assert_renders(&-0.0f64, "0");
    assert_renders(&-0.0f32, "0");
    assert_renders(&1.0f64, "1");
    assert_renders(&0.1f32, "0.1");
    assert_renders(&-2.5f64, "-2.5");
    assert_renders(&1e16f64, "10000000000000000");
    assert_renders(&1e300f64, "1e300");
    assert_renders(&f64::MIN_POSITIVE, "2.2250738585072014e-308");
    assert_renders(&f64::INFINITY, "inf");
    assert_renders(&f32::NEG_INFINITY, "-inf");
    assert_renders(&f64::NAN, "NaN");
    assert_renders(&-f64::NAN, "NaN");
    assert_renders(&f64::from_bits(f64::NAN.to_bits() + 1), "NaN");
}

#[test]
fn none_is_seen_beside_some_at_every_depth() {
    assert_renders(&None::<u8>, "%-");
    assert_renders(&Some(5), "5");
    assert_renders(&Some("-"), "-");
    assert_renders(&Some("%-"), "%25-");
    assert_renders(&Some(None::<u8>), "%-%-");
    assert_renders(&Some(Some(5)), "5");
    assert_renders(&Some(Some(None::<u8>)), "%-%-%-");
    assert_renders(&Some(""), "%~");
}

#[test]
fn lists_and_tuples_show_their_items() {
    assert_renders(&vec!["a", "b:"], "%(a%,b%3A%)");
    assert_renders(&Vec::<u8>::new(), "%(%)");
    assert_renders(&[""], "%(%~%)");
    assert_renders(&(), "%(%)");
    assert_renders(&(1, "x", None::<u8>), "%(1%,x%,%-%)");
    assert_renders(&vec![vec![1], vec![], vec![2, 3]], "%(%(1%)%,%(%)%,%(2%,3%)%)");
    assert_renders(&Some(vec![None::<u8>]), "%(%-%)");
    assert_renders(&VecDeque::from([1, 2]), "%(1%,2%)");
    assert_renders(&BTreeSet::from([2, 1]), "%(1%,2%)");
    assert_renders(&BTreeMap::from([(1, "a")]), "%(%(1%,a%)%)");
}

#[test]
fn times_addresses_and_paths_are_readable() {
    assert_renders(&Duration::from_millis(1500), "1.5s");
    assert_renders(&Duration::new(3, 1), "3.000000001s");
    assert_renders(&(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)), "1700000000.25");
    assert_renders(&(UNIX_EPOCH - Duration::from_secs(2)), "-2");
    assert_renders(&"10.0.0.1".parse::<IpAddr>().unwrap(), "10.0.0.1");
    assert_renders(&"::1".parse::<IpAddr>().unwrap(), "%3A%3A1");
    assert_renders(&"10.0.0.1:80".parse::<SocketAddr>().unwrap(), "10.0.0.1%3A80");
    assert_renders(&Path::new("/tmp/a b"), "/tmp/a%20b");
    assert_ne!(rendered(&SystemTime::now()), rendered(&UNIX_EPOCH));
}

#[test]
fn socket_addresses_that_display_alike_stay_apart() {
    let localhost = "::1".parse().unwrap();
    let (one, two) = (SocketAddrV6::new(localhost, 1, 0, 0), SocketAddrV6::new(localhost, 1, 7, 0));
    assert_eq!(one.to_string(), two.to_string());
    assert_ne!(rendered(&one), rendered(&two));
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_unicode_stay_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let path = |bytes| Path::new(OsStr::from_bytes(bytes));
    assert_renders(&path(b"a\xff:\xc3\xa9"), "a%FF%3Aé");
    assert_renders(&path(b"a\xfe"), "a%FE");
    assert_renders(&path(b"a%FE"), "a%25FE");
}

#[cfg(feature = "uuid")]
#[test]
fn a_uuid_is_hyphenated() {
    assert_renders(&uuid::Uuid::from_u128(0xabc), "00000000-0000-0000-0000-000000000abc");
}

struct Steps<F>(F);

impl<F: Fn(&mut KeyWriter<'_>)> KeyPart for Steps<F> {
    fn render(&self, out: &mut KeyWriter<'_>) {
        self.0(out);
    }
}

/// Gives closures the signature that their inference needs.
fn steps(write: impl Fn(&mut KeyWriter<'_>)) -> Steps<impl Fn(&mut KeyWriter<'_>)> {
    Steps(write)
}

#[test]
fn one_step_is_the_value_and_several_are_kept_apart() {
    assert_renders(&steps(|out| out.str("a:b")), "a%3Ab");
    assert_renders(&steps(|out| out.display(format_args!("{}:{}", 1, 2))), "1%3A2");
    assert_renders(&steps(|out| out.display("")), "%~");
    assert_renders(&steps(|_| {}), "%<%>");
    assert_renders(
        &steps(|out| {
            out.str("ab");
            out.part(&1);
            out.display("");
        }),
        "%<ab%,1%,%~%>",
    );
    assert_renders(&steps(|out| out.list(["a", "b"])), "%(a%,b%)");
}

#[test]
fn a_step_of_several_steps_never_looks_like_several_steps() {
    let pair = || {
        steps(|out| {
            out.str("a");
            out.str("b");
        })
    };
    let one_pair = steps(move |out| out.part(&pair()));
    assert_eq!(rendered(&pair()), "%<a%,b%>");
    assert_eq!(rendered(&one_pair), "%<%<a%,b%>%>");
    assert_eq!(rendered(&Some(pair())), "%<%<a%,b%>%>");
    assert_eq!(rendered(&(pair(), "c")), "%(%<a%,b%>%,c%)");
}

#[test]
fn a_value_that_fails_is_reported_and_never_renders_the_same_twice() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    for part in [&steps(|out| out.display(Broken)) as &dyn KeyPart, &steps(|out| out.fail("why"))] {
        let mut one = KeyBuffer::new();
        one.part(part);
        assert!(one.failure().is_some());
        assert_ne!(one.as_str(), rendered(part));
    }
    let mut fine = KeyBuffer::new();
    fine.part(&1);
    assert_eq!(fine.failure(), None);
}
