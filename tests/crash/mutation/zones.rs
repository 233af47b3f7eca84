//! Classifies calls by the role of their paths, so that one reason covers every file of a kind.

/// Returns a printed call with each path replaced by its role.
pub(crate) fn call(call: &str) -> String {
    let (verb, paths) = call.split_once(' ').expect("a call has a path");
    let zones: Vec<&str> = paths.split(" -> ").map(zone).collect();
    format!("{verb} {}", zones.join(" > "))
}

/// Returns whether a step of an order is a question before the decision: it is about own entries, which no state needs
/// and the next sweep removes.
pub(crate) fn asks(order: &str) -> bool {
    order.split([' ', '|']).any(|word| word == "question")
}

fn zone(path: &str) -> &'static str {
    let Some(path) = path.strip_prefix("ws/") else { return "root" };
    let Some(record) = path.strip_prefix(".onionskin/") else {
        return match path {
            ".onionskin" => "records",
            _ if path.contains(".onionskin-") && path.contains(".new") => "new",
            _ if path.ends_with(".ask") => "question",
            _ if path.contains(".onionskin-") => "old",
            _ => "target",
        };
    };
    match record {
        "log" => "log",
        "lock" => "lock",
        _ if record.starts_with("epoch-") => "epoch",
        _ if record.starts_with("directories") => "generation",
        _ if record.starts_with("ask-") => "question",
        _ => "staging",
    }
}
