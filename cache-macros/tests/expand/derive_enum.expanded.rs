#[automatically_derived]
impl ::larder::KeyPart for Colour {
    fn render(&self, out: &mut ::larder::KeyWriter<'_>) {
        out.variant(
            match self {
                Self::Red { .. } => "Red",
                #[cfg(feature = "green")]
                Self::Green { .. } => "Green",
            },
        );
    }
}
