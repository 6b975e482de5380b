//! Resources: what the reading tools answer, under addresses that a client can attach.
//!
//! Nearly every resource is one call of a tool, so that both always say the same. A resource whose
//! tool is switched off is not listed.

use guard::outlet;
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value};

use crate::context::ToolCx;
use crate::gateway::{Gateway, Request, Stop};
use crate::services::Services;
use crate::tool_error::{Code, ToolError};
use crate::tools::vql::help::guide;

mod entries;
mod hunt;
mod server_info;
mod uri;

use entries::{ENTRIES, Entry, Source};
pub use uri::SCHEME;
use uri::{Params, Pattern};

fn offered(services: &Services) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(|entry| entry.offered(services))
}

/// The resources that have one address.
pub fn listed(services: &Services) -> Vec<Resource> {
    offered(services)
        .filter(|entry| !Pattern(entry.path).has_variables())
        .map(|entry| {
            Resource::new(format!("{SCHEME}{}", entry.path), entry.name)
                .with_title(entry.title)
                .with_description(entry.description)
                .with_mime_type(entry.mime())
        })
        .collect()
}

/// The addresses that have variables or take parameters.
pub fn templates(services: &Services) -> Vec<ResourceTemplate> {
    offered(services)
        .filter_map(|entry| {
            let parameters = entry.parameters(services);
            if !Pattern(entry.path).has_variables() && parameters.is_empty() {
                return None;
            }
            let mut address = format!("{SCHEME}{}", entry.path);
            if !parameters.is_empty() {
                address = format!("{address}{{?{}}}", parameters.join(","));
            }
            Some(
                ResourceTemplate::new(address, entry.name)
                    .with_title(entry.title)
                    .with_description(entry.description)
                    .with_mime_type(entry.mime()),
            )
        })
        .collect()
}

/// Reads a resource.
///
/// # Errors
///
/// `not_found` for an address that names nothing, `invalid_input` for parameters that it does not
/// take, and whatever the tool behind it says.
pub async fn read(
    gateway: &Gateway,
    request: &Request<'_>,
    address: &str,
) -> Result<ResourceContents, ToolError> {
    let services = gateway.services();
    let (entry, params) = find(services, address)?;
    let cx = |arguments: &mut Map<String, Value>| {
        ToolCx::of(services, arguments, request.cancel.clone(), request.progress)
    };
    let text = match &entry.source {
        Source::Guide => guide::whole(),
        Source::ServerInfo => {
            let mut arguments = params.into_arguments(&[], entry.path)?;
            let cx = cx(&mut arguments)?;
            nothing_left(&arguments)?;
            recorded(gateway, request, address, &cx, server_info::read(&cx)).await?
        }
        Source::Hunt => {
            let mut arguments = params.into_arguments(&[], entry.path)?;
            let hunt = arguments.remove("hunt_id");
            let cx = cx(&mut arguments)?;
            nothing_left(&arguments)?;
            let hunt = hunt.as_ref().and_then(Value::as_str).unwrap_or_default();
            recorded(gateway, request, address, &cx, hunt::read(&cx, hunt)).await?
        }
        Source::Tool { tool, variables, paged } => {
            let arguments = params.into_arguments(variables, entry.path)?;
            if !paged && arguments.contains_key("cursor") {
                return Err(ToolError::invalid("this resource has one page and takes no cursor"));
            }
            match gateway.call(request, tool, arguments).await {
                Ok(finished) => {
                    let data: Box<str> = finished.structured.into();
                    data.into()
                }
                Err(Stop::Error(error)) => return Err(error),
                // Tools behind resources read.
                Err(Stop::Ask(_)) => {
                    return Err(ToolError::new(Code::ApprovalRequired, "a person is asked for it")
                        .next(format!("call {tool}")));
                }
            }
        }
    };
    // The address is the caller's, and what reads it need not be the caller.
    let address = outlet::text(address).0;
    Ok(ResourceContents::text(text, address).with_mime_type(entry.mime()))
}

/// Reads what no tool reads, on record.
async fn recorded(
    gateway: &Gateway,
    request: &Request<'_>,
    address: &str,
    cx: &ToolCx<'_>,
    read: impl Future<Output = Result<(String, Option<String>), ToolError>>,
) -> Result<String, ToolError> {
    let what = Map::from_iter([(String::from("uri"), Value::from(address))]);
    let place = (cx.server.name().to_owned(), cx.org.to_string());
    let told =
        |(text, identity): &(String, Option<String>)| (text.as_bytes().to_vec(), identity.clone());
    let read = gateway.reading(request, "resources/read", (what, Some(place)), read, told);
    Ok(read.await?.0)
}

/// What an address names.
fn find<'a>(
    services: &Services,
    address: &'a str,
) -> Result<(&'static Entry, Params<'a>), ToolError> {
    let unknown = || {
        let known: Vec<_> = offered(services).map(|e| format!("{SCHEME}{}", e.path)).collect();
        ToolError::new(Code::NotFound, format!("no resource has the address {address:?}"))
            .next(format!("the addresses are {}", known.join(", ")))
    };
    let (path, query) = uri::split(address).ok_or_else(unknown)?;
    for entry in offered(services) {
        if let Some(variables) = Pattern(entry.path).matches(path) {
            let params = Params::new(variables, query);
            if let Some(name) = params.names().find(|name| !entry.takes(name, services)) {
                let takes = entry.parameters(services);
                let takes = if takes.is_empty() { String::from("none") } else { takes.join(", ") };
                return Err(ToolError::invalid(format!(
                    "{SCHEME}{} takes no parameter {name:?}; it takes: {takes}",
                    entry.path
                )));
            }
            return Ok((entry, params));
        }
    }
    Err(unknown())
}

fn nothing_left(arguments: &Map<String, Value>) -> Result<(), ToolError> {
    match arguments.keys().next() {
        None => Ok(()),
        Some(name) => Err(ToolError::invalid(format!("there is no parameter {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_whose_tools_exist_are_listed() {
        let services = Services::default();
        let listed = listed(&services);
        assert!(listed.iter().any(|resource| resource.uri == "velociraptor://server-info"));
        assert!(templates(&services).iter().all(|template| template.uri_template.contains('{')));
    }

    #[test]
    fn an_unknown_address_names_the_known_ones_and_parameters_are_checked() {
        let services = Services::default();
        for address in ["velociraptor://nothing", "http://clients", "velociraptor://clients/", ""] {
            let error = find(&services, address).map(|_| ()).unwrap_err();
            assert_eq!(error.code, Code::NotFound, "{address}");
            assert!(error.next_step.unwrap().contains("velociraptor://server-info"));
        }
        let error = find(&services, "velociraptor://server-info?x=1").map(|_| ()).unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
        // The only server may be named; which one that is is seen when it is asked.
        assert!(find(&services, "velociraptor://server-info?server=x&org=root").is_ok());
        assert!(find(&services, "velociraptor://vql-guide?server=x").is_err());
    }
}
