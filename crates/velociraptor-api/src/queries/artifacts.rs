//! Queries about artifact definitions.

use crate::catalogue::{CatalogueQuery, READ};

/// The artifacts that a search finds, from their definitions.
macro_rules! artifact_filter {
    () => {
        "
FROM artifact_definitions()
WHERE (MR_Search = '' OR name =~ MR_Search OR description =~ MR_Search)
  AND (MR_Types = '' OR type =~ MR_Types)
  AND (MR_Os = ''
       OR if(condition=precondition =~ MR_AnyOs,
             then=precondition =~ MR_Os, else=NOT name =~ MR_OtherOs))"
    };
}

pub(super) use artifact_filter;

/// One page of the artifacts that a search finds.
///
/// `MR_Search` is a regular expression on name and description, `MR_Types` one on the type; both
/// may be empty. `MR_Os` is a system's word or empty; an artifact is for the systems that its
/// precondition names (`MR_AnyOs` matches any), else for those that its name does not rule out
/// (`MR_OtherOs` matches the names of artifacts for other systems).
pub const SEARCH: CatalogueQuery = CatalogueQuery {
    name: "artifacts_search",
    text: concat!(
        "LET VQL_MATERIALIZE_ROW_LIMIT <= 1000000000
LET Found <= SELECT name AS Name, type AS Type, description AS Description,
       len(list=parameters) AS Parameters, built_in AS BuiltIn, precondition AS Precondition,
       required_permissions AS Permissions",
        artifact_filter!(),
        "
ORDER BY Name
SELECT *, len(list=Found) AS Total
FROM foreach(row=slice(list=Found, start=int(int=MR_From), end=int(int=MR_To)))"
    ),
    binds: &["MR_Search", "MR_Types", "MR_Os", "MR_AnyOs", "MR_OtherOs", "MR_From", "MR_To"],
    needs: READ,
    mutates: false,
    columns: &[
        "Name",
        "Type",
        "Description",
        "Parameters",
        "BuiltIn",
        "Precondition",
        "Permissions",
        "Total",
    ],
};

/// The whole definitions of some artifacts. The server logs each name that it does not know, and
/// gives the others.
pub const DEFINITIONS: CatalogueQuery = CatalogueQuery {
    name: "artifact_definitions",
    text: "SELECT name AS Name, type AS Type, description AS Description, author AS Author,
       reference AS Reference, aliases AS Aliases, built_in AS BuiltIn,
       required_permissions AS RequiredPermissions, implied_permissions AS ImpliedPermissions,
       impersonate AS Impersonate, precondition AS Precondition, parameters AS Parameters,
       sources AS Sources, imports AS Imports, export AS Export, tools AS Tools,
       column_types AS ColumnTypes, resources AS Resources, metadata AS Metadata
FROM artifact_definitions(names=parse_json_array(data=MR_Artifacts))",
    binds: &["MR_Artifacts"],
    needs: READ,
    mutates: false,
    columns: &[
        "Name",
        "Type",
        "Description",
        "Author",
        "Reference",
        "Aliases",
        "BuiltIn",
        "RequiredPermissions",
        "ImpliedPermissions",
        "Impersonate",
        "Precondition",
        "Parameters",
        "Sources",
        "Imports",
        "Export",
        "Tools",
        "ColumnTypes",
        "Resources",
        "Metadata",
    ],
};

/// The names of all artifacts, for suggestions.
pub const NAMES: CatalogueQuery = CatalogueQuery {
    name: "artifact_names",
    text: "SELECT name AS Name, type AS Type FROM artifact_definitions()",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["Name", "Type"],
};

/// What the server has of some tools.
pub const INVENTORY: CatalogueQuery = CatalogueQuery {
    name: "inventory",
    text: "SELECT name AS Name, url AS Url, hash AS Hash, expected_hash AS ExpectedHash,
       serve_locally AS ServeLocally, serve_url AS ServeUrl, filename AS Filename,
       version AS Version, github_project AS GithubProject,
       github_asset_regex AS GithubAssetRegex, admin_override AS AdminOverride,
       versions AS Versions
FROM inventory()
WHERE name IN parse_json_array(data=MR_Tools)",
    binds: &["MR_Tools"],
    needs: READ,
    mutates: false,
    columns: &[
        "Name",
        "Url",
        "Hash",
        "ExpectedHash",
        "ServeLocally",
        "ServeUrl",
        "Filename",
        "Version",
        "GithubProject",
        "GithubAssetRegex",
        "AdminOverride",
        "Versions",
    ],
};
