//! Tuples, and collections whose order is part of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Fingerprint, KeyPart, KeyWriter};

impl<T: KeyPart> KeyPart for [T] {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.list(self);
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        items(self, self.len(), out);
    }
}

impl<T: KeyPart, const N: usize> KeyPart for [T; N] {
    fn render(&self, out: &mut KeyWriter<'_>) {
        self.as_slice().render(out);
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        self.as_slice().fingerprint(out);
    }
}

impl<T: KeyPart> KeyPart for Vec<T> {
    fn render(&self, out: &mut KeyWriter<'_>) {
        self.as_slice().render(out);
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        self.as_slice().fingerprint(out);
    }
}

macro_rules! ordered {
    ($($ty:ident)*) => {$(
        impl<T: KeyPart> KeyPart for $ty<T> {
            fn render(&self, out: &mut KeyWriter<'_>) {
                out.list(self);
            }

            fn fingerprint(&self, out: &mut Fingerprint) {
                items(self, self.len(), out);
            }
        }
    )*};
}

ordered!(VecDeque BTreeSet);

impl<K: KeyPart, V: KeyPart> KeyPart for BTreeMap<K, V> {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.list(self);
    }

    fn fingerprint(&self, out: &mut Fingerprint) {
        items(self, self.len(), out);
    }
}

fn items<T: KeyPart>(items: impl IntoIterator<Item = T>, count: usize, out: &mut Fingerprint) {
    out.items(count);
    items.into_iter().for_each(|item| out.part(&item));
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: KeyPart),*> KeyPart for ($($name,)*) {
            fn render(&self, out: &mut KeyWriter<'_>) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                out.list_with(|_out| { $(_out.part($name);)* });
            }

            fn fingerprint(&self, out: &mut Fingerprint) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                out.items(0 $(+ { let _ = $name; 1 })*);
                $(out.part($name);)*
            }
        }
    };
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
