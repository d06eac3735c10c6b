//! Names of types as people write them.

use std::any::type_name;

/// `Quote<String>` of `my_crate::market::Quote<alloc::string::String>`: each path without what leads to it.
pub(crate) fn short<T: ?Sized>() -> String {
    shorten(type_name::<T>())
}

fn shorten(name: &str) -> String {
    let mut short = String::new();
    let mut path = 0;
    for (at, c) in name.char_indices() {
        if c.is_alphanumeric() || c == '_' || c == ':' {
            continue;
        }
        short.push_str(last(&name[path..at]));
        short.push(c);
        path = at + c.len_utf8();
    }
    short.push_str(last(&name[path..]));
    short
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out() {
        assert_eq!(short::<i32>(), "i32");
        assert_eq!(short::<Vec<String>>(), "Vec<String>");
        assert_eq!(short::<(Option<u8>, [std::time::Duration; 2])>(), "(Option<u8>, [Duration; 2])");
        assert_eq!(short::<&'static str>(), "&str");
    }
}
