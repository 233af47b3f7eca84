//! Classifies calls by the role of their paths, so that one reason covers every file of a kind.

/// Returns a printed call with each path replaced by its role.
pub(crate) fn call(call: &str) -> String {
    let (verb, paths) = call.split_once(' ').expect("a call has a path");
    let zones: Vec<&str> = paths.split(" -> ").map(zone).collect();
    format!("{verb} {}", zones.join(" > "))
}

fn zone(path: &str) -> &'static str {
    let Some(path) = path.strip_prefix("ws/") else { return "root" };
    let Some(record) = path.strip_prefix(".onionskin/") else {
        return match path {
            ".onionskin" => "records",
            _ if path.contains(".onionskin-") && path.contains(".new") => "new",
            _ if path.contains(".onionskin-") => "old",
            _ => "target",
        };
    };
    match record {
        "log" => "log",
        "lock" => "lock",
        _ if record.starts_with("epoch-") => "epoch",
        _ if record.starts_with("directories") => "generation",
        _ => "staging",
    }
}
