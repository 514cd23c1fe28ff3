#[derive(KeyPart)]
enum Colour {
    Red,
    #[cfg(feature = "green")]
    Green,
}
