#[automatically_derived]
impl<T> ::larder::KeyPart for Id<T>
where
    Option<T>: ::larder::KeyPart,
{
    fn render(&self, out: &mut ::larder::KeyWriter<'_>) {
        ::larder::KeyPart::render(&self.0, out);
    }
    fn fingerprint(&self, out: &mut ::larder::key::Fingerprint) {
        ::larder::KeyPart::fingerprint(&self.0, out);
    }
}
