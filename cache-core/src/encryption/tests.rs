use super::*;

fn key(byte: u8) -> [u8; KEY_LEN] {
    [byte; KEY_LEN]
}

fn sealed(keys: &EncryptionKeys, bound: &[u8], text: &[u8]) -> Vec<u8> {
    let mut out = [b"head", text].concat();
    keys.seal(bound, &mut out, 4).unwrap();
    assert_eq!(&out[..4], b"head");
    out.split_off(4)
}

#[test]
fn what_was_sealed_is_opened_and_is_not_in_the_clear() {
    let keys = EncryptionKeys::new(7, &key(1)).unwrap();
    for text in [b"".as_slice(), b"a secret that would be seen", &[0; 10_000]] {
        let bytes = sealed(&keys, b"bound", text);
        assert_eq!(bytes.len(), text.len() + OVERHEAD);
        assert!(text.len() < 8 || !bytes.windows(8).any(|part| part == &text[..8]));
        assert_eq!(keys.open(b"bound", &bytes).unwrap(), text);
    }
}

/// The cipher is the one that the documentation names: the test vector of draft-irtf-cfrg-xchacha, section A.3.1.
#[test]
fn the_cipher_is_xchacha20_poly1305() {
    let secret: Vec<u8> = (0x80..=0x9f).collect();
    let nonce: Vec<u8> = (0x40..=0x57).collect();
    let bound = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you \
                 only one tip for the future, sunscreen would be it.";
    let tag = [
        0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf,
        0x49,
    ];
    let keys = EncryptionKeys::new(1, &secret).unwrap();
    // A stream cipher: what is sealed twice with one nonce is what it was. The tag alone proves the rest.
    let mut stream = text.to_vec();
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::AeadInOut};
    let cipher = XChaCha20Poly1305::new_from_slice(&secret).unwrap();
    let nonce: [u8; NONCE_LEN] = nonce.try_into().unwrap();
    let made = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), &bound, stream.as_mut_slice().into())
        .unwrap();
    assert_eq!(made.as_slice(), tag);
    let stored = [&1_u32.to_le_bytes()[..], &nonce, &stream, &tag].concat();
    assert_eq!(keys.open(&bound, &stored).unwrap(), text);
}

#[test]
fn one_text_is_never_sealed_alike_twice() {
    let keys = EncryptionKeys::new(7, &key(1)).unwrap();
    assert_ne!(sealed(&keys, b"", b"text"), sealed(&keys, b"", b"text"));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let keys = EncryptionKeys::new(7, &key(1)).unwrap();
    let bytes = sealed(&keys, b"bound", b"text");
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let closed = keys.open(b"bound", &changed).unwrap_err();
        let id = bit / 8 < KEY_ID_LEN;
        assert!(if id {
            matches!(closed, Closed::UnknownKey(_))
        } else {
            closed == Closed::Forged
        });
    }
    for end in 0..bytes.len() {
        assert!(keys.open(b"bound", &bytes[..end]).is_err());
    }
    assert_eq!(keys.open(b"other", &bytes), Err(Closed::Forged));
}

#[test]
fn a_key_is_told_by_its_id_and_proved_by_its_bytes() {
    let old = EncryptionKeys::new(1, &key(1)).unwrap();
    let new = EncryptionKeys::new(2, &key(2)).unwrap();
    let same_id = EncryptionKeys::new(1, &key(9)).unwrap();
    let both = new.clone().and_reads(1, &key(1)).unwrap();
    let by_old = sealed(&old, b"", b"text");
    assert_eq!(both.open(b"", &by_old).unwrap(), b"text");
    assert_eq!(new.open(b"", &by_old), Err(Closed::UnknownKey(1)));
    assert_eq!(same_id.open(b"", &by_old), Err(Closed::Forged));
    let by_both = sealed(&both, b"", b"text");
    assert_eq!(new.open(b"", &by_both).unwrap(), b"text", "the first key writes");
    assert_eq!(old.open(b"", &by_both), Err(Closed::UnknownKey(2)));
}

#[test]
fn wrong_keys_are_errors_that_do_not_show_them() {
    let secret = b"a secret of a wrong length";
    let error = EncryptionKeys::new(7, secret).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().contains("32"), "{error}");
    assert!(EncryptionKeys::new(7, &[0; 32]).is_err());
    let keys = EncryptionKeys::new(7, &key(1)).unwrap();
    assert!(keys.clone().and_reads(7, &key(2)).is_err());
    assert!(keys.and_reads(8, &[1; 31]).is_err());
}

#[test]
fn debug_shows_no_byte_of_a_key() {
    let keys = EncryptionKeys::new(7, &key(0xab)).unwrap().and_reads(8, &key(0xcd)).unwrap();
    let shown = format!("{keys:?} {keys:#?}");
    for part in ["171", "205", "ab", "cd", "AB", "CD"] {
        assert!(!shown.contains(part), "{shown}");
    }
}
