//! What the engine brings along.

/// The functions of Velociraptor 0.77.2 on all systems, as its reference lists them; sorted.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "add_client_monitoring", "add_server_monitoring", "alert", "all", "amsi", "any", "array",
    "artifact_delete", "artifact_set", "artifact_set_metadata", "atexit", "atoi", "authenticode",
    "background", "base64decode", "base64encode", "base85decode", "basename", "cache",
    "cache_dns", "cancel_flow", "cidr_contains", "client_create", "client_info",
    "client_metadata", "client_set_metadata", "collect_client", "commandline_split", "compress",
    "copy", "count", "create_flow_download", "create_hunt_download", "create_notebook_download",
    "crypto_rc4", "describe_address", "dict", "dirname", "encode", "entropy", "enumerate",
    "environ", "eval", "expand", "favorites_delete", "favorites_save", "file_store",
    "file_store_delete", "filter", "format", "gcs_pubsub_publish", "generate", "geoip", "get",
    "get_client_monitoring", "get_flow", "get_server_monitoring", "getpid", "grok", "gunzip",
    "hash", "host", "humanize", "hunt", "hunt_add", "hunt_info", "hunt_update", "if", "import",
    "import_collection", "info", "int", "inventory_add", "inventory_get", "ip", "items", "join",
    "js", "js_call", "js_get", "js_set", "killkillkill", "label", "lazy_dict", "len", "link_to",
    "log", "lookupSID", "lowcase", "lru", "lzxpress_decompress", "magic", "mail", "max",
    "memoize", "min", "mock", "mock_check", "mock_clear", "mock_replay", "notebook_create",
    "notebook_export", "notebook_get", "notebook_update", "notebook_update_cell", "now", "org",
    "org_create", "org_delete", "parse_binary", "parse_float", "parse_json", "parse_json_array",
    "parse_ntfs", "parse_pe", "parse_pkcs7", "parse_string_with_regex", "parse_x509", "parse_xml",
    "parse_yaml", "passwd", "patch", "path_join", "path_split", "pathspec", "pe_dump", "pipe",
    "pk_decrypt", "pk_encrypt", "plist", "process_tracker", "process_tracker_all",
    "process_tracker_callchain", "process_tracker_children", "process_tracker_get",
    "process_tracker_tree", "pskill", "rand", "rate", "read_file", "reformat", "reg_rm_key",
    "reg_rm_value", "reg_set_value", "regex_replace", "regex_transform", "rekey", "relpath",
    "remap", "repack", "rm", "rm_client_monitoring", "rm_server_monitoring", "rot13", "rsyslog",
    "scope", "secret_add", "secret_modify", "semver", "send_event", "serialize",
    "server_frontend_cert", "server_metadata", "server_set_metadata", "set",
    "set_client_monitoring", "set_server_monitoring", "shell_session", "shell_session_control",
    "sigma_log_sources", "similarity", "sleep", "slice", "split", "srum_lookup_id", "starl",
    "stat", "str", "strip", "substr", "sum", "sysinfo", "tempdir", "tempfile", "template",
    "timeline_add", "timeline_delete", "timestamp", "timestamp_format", "tlsh_hash", "to_dict",
    "token", "trace", "typeof", "unhex", "upcase", "upload", "upload_azure", "upload_directory",
    "upload_gcs", "upload_s3", "upload_sftp", "upload_smb", "upload_webdav", "url", "user",
    "user_create", "user_delete", "user_grant", "user_message", "user_options", "utf16",
    "utf16_encode", "uuid", "verify", "version", "whoami", "winpmem", "write_file", "xattr",
    "xor", "yara_lint",
];

/// Functions that compute on their arguments only, take no code in strings, end soon, and give the
/// same answer when they are called for each row of a filter.
///
/// Left out on purpose, although they only compute: `log` (writes what error detection reads),
/// `get`, `scope` and `lazy_dict` (reach every variable), `set` and `patch` (change what they are
/// given), `pipe` (takes a query), aggregates such as `count` and `sum` (keep state from row to
/// row), `rand` and `uuid` (never the same), decompression (small input, large output).
#[rustfmt::skip]
const PURE_FUNCTIONS: &[&str] = &[
    "array", "atoi", "base64decode", "base64encode", "basename", "cidr_contains",
    "commandline_split", "dict", "dirname", "encode", "entropy", "format", "humanize", "if", "int",
    "ip", "items", "join", "len", "lowcase", "now", "parse_float", "parse_json",
    "parse_json_array", "parse_string_with_regex", "path_join", "path_split", "pathspec",
    "relpath", "rot13", "semver", "serialize", "similarity", "slice", "split", "str", "strip",
    "substr", "timestamp", "timestamp_format", "to_dict", "typeof", "unhex", "upcase", "url",
    "utf16", "utf16_encode", "xor",
];

/// Whether a function of this name is built into 0.77.2. A value bound to such a name is not
/// reached by a call, and a LET of it makes the server log a warning.
pub fn is_builtin_function(name: &str) -> bool {
    FUNCTIONS.binary_search(&name).is_ok()
}

/// Whether a caller's filter may call the function.
pub(crate) fn is_pure_function(name: &str) -> bool {
    PURE_FUNCTIONS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_agree() {
        assert!(FUNCTIONS.is_sorted());
        assert!(PURE_FUNCTIONS.is_sorted());
        for name in PURE_FUNCTIONS {
            assert!(is_builtin_function(name), "{name}");
        }
    }
}
