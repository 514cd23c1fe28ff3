use cache_store::{Error, ErrorKind, Nonce, Result};

use super::{
    BY_HAND, COMPRESSION_SHIFT, ENCRYPTED, FLAGS_AT, FORMAT, Header, Limits, MAGIC, MIN_LEN,
    NEGATIVE, PAYLOAD_LENGTH_LEN, Packed, Packing, TAGS_AT, checksum,
};

/// Builds an envelope in one buffer: header, tags, payload, checksum.
#[derive(Debug)]
pub(crate) struct EnvelopeWriter {
    out: Vec<u8>,
    limits: Limits,
    tags: u16,
}

impl EnvelopeWriter {
    /// Writes the header. `capacity` is the expected length of the whole envelope, for example that of the last one.
    pub(crate) fn begin(capacity: usize, limits: Limits, header: &Header) -> Self {
        let mut out = Vec::with_capacity(capacity.max(MIN_LEN));
        out.extend_from_slice(header.key_nonce.as_bytes());
        out.extend_from_slice(header.pattern_nonce.as_bytes());
        out.extend_from_slice(&header.fill_id);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[FORMAT, header.codec.id(), flags(header)]);
        out.extend_from_slice(&header.type_fingerprint.to_le_bytes());
        out.extend_from_slice(&header.rules_fingerprint.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        Self { out, limits, tags: 0 }
    }

    /// Adds a tag and its nonce from before the load. An entry that cannot name all its tags must not be stored.
    pub(crate) fn tag(&mut self, name: &str, nonce: Nonce) -> Result<()> {
        if self.tags == self.limits.max_tags {
            return Err(too_large(format!("the entry has more than {} tags", self.tags)));
        }
        let length = u16::try_from(name.len())
            .map_err(|_| too_large(format!("a tag of {} bytes is too long", name.len())))?;
        self.tags += 1;
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(nonce.as_bytes());
        Ok(())
    }

    /// Appends what `encode` appends, packed, and closes the envelope, which from now on is valid under `key` alone.
    pub(crate) fn finish(
        mut self,
        key: &str,
        packing: &Packing,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let payload_at = self.reserve_payload_length();
        encode(&mut self.out)?;
        self.seal(key, packing, payload_at)
    }

    fn reserve_payload_length(&mut self) -> usize {
        self.out.extend_from_slice(&[0; PAYLOAD_LENGTH_LEN]);
        self.out.len()
    }

    /// What does not depend on the value's type, so that it is compiled once.
    fn seal(mut self, key: &str, packing: &Packing, payload_at: usize) -> Result<Vec<u8>> {
        let length = self.out.len() - payload_at;
        let limit = self.limits.max_value_bytes;
        if length > limit {
            return Err(too_large(format!(
                "the encoded value has {length} bytes; the limit is {limit}"
            )));
        }
        let packed = self.compress(packing, payload_at)?;
        self.complete_front(packed, payload_at)?;
        packing.encrypt(key, &mut self.out, payload_at)?;
        let sum = checksum(key, &self.out[Nonce::LEN..]);
        self.out.extend_from_slice(&sum);
        Ok(self.out)
    }

    fn compress(&mut self, packing: &Packing, payload_at: usize) -> Result<Packed> {
        let wanted = packing.compression_for(self.out.len() - payload_at);
        let smaller = wanted.pack(&mut self.out, payload_at)?;
        let compression = if smaller { wanted } else { crate::Compression::None };
        Ok(Packed { compression, encrypted: packing.encryption.is_some() })
    }

    /// Writes what is known only now, and has to be before anything is bound to it.
    fn complete_front(&mut self, packed: Packed, payload_at: usize) -> Result<()> {
        let length = self.out.len() - payload_at + packed.overhead();
        let written = u32::try_from(length)
            .map_err(|_| too_large(format!("the encoded value has {length} bytes")))?;
        self.out[payload_at - PAYLOAD_LENGTH_LEN..payload_at]
            .copy_from_slice(&written.to_le_bytes());
        self.out[TAGS_AT - 2..TAGS_AT].copy_from_slice(&self.tags.to_le_bytes());
        self.out[FLAGS_AT] |= packed.compression.id() << COMPRESSION_SHIFT;
        if packed.encrypted {
            self.out[FLAGS_AT] |= ENCRYPTED;
        }
        Ok(())
    }
}

fn flags(header: &Header) -> u8 {
    let negative = if header.negative { NEGATIVE } else { 0 };
    negative | if header.by_hand { BY_HAND } else { 0 }
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}
