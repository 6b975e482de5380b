//! The methods besides `Query`.

use lab::Role;
use tonic::Code;
use velociraptor_api::generated as proto;

use crate::console::{Console, fast_lab};

/// Windows without the machines of the label `finance`.
fn condition() -> proto::HuntCondition {
    let os = proto::hunt_os_condition::Os::Windows.into();
    proto::HuntCondition {
        union_field: Some(proto::hunt_condition::UnionField::Os(proto::HuntOsCondition { os })),
        excluded_labels: Some(proto::HuntLabelCondition { label: vec!["finance".into()] }),
    }
}

fn hunt(artifact: &str) -> proto::Hunt {
    proto::Hunt {
        condition: Some(condition()),
        state: proto::hunt::State::Running.into(),
        hunt_description: "by RPC".into(),
        start_request: Some(proto::ArtifactCollectorArgs {
            artifacts: vec![artifact.into()],
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_hunt_by_rpc_honours_system_and_excluded_labels() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let estimate = proto::HuntEstimateRequest { last_active: 0, condition: Some(condition()) };
    let stats = console.client().estimate_hunt(estimate).await.unwrap().into_inner();
    assert_eq!(stats.total_clients_scheduled, 12);
    let made = console.client().create_hunt(hunt("Custom.Lab.One")).await.unwrap().into_inner();
    let env = [("H", made.flow_id.as_str())];
    let vql = "SELECT stats.total_finished_clients AS N FROM hunts(hunt_id=H)";
    console.wait(vql, &env, |answer| answer.value() == 10).await;

    let stop = proto::HuntMutation {
        hunt_id: made.flow_id.clone(),
        state: proto::hunt::State::Stopped.into(),
        ..Default::default()
    };
    console.client().modify_hunt(stop).await.unwrap();
    let vql = "SELECT state FROM hunts(hunt_id=H)";
    assert_eq!(console.ask(vql, &env).await.value(), "STOPPED");
    let unknown = proto::HuntMutation { hunt_id: "H.NOSUCH".into(), ..Default::default() };
    console.client().modify_hunt(unknown).await.unwrap();
}

#[tokio::test]
async fn a_hunt_by_rpc_is_refused_in_the_servers_words() {
    let lab = fast_lab();
    let reader = Console::connect(&lab, Role::Reader).await;
    let status = reader.client().create_hunt(hunt("Custom.Lab.One")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(status.message(), "User is not allowed to launch hunts.");
    let admin = Console::connect(&lab, Role::Administrator).await;
    let status = admin.client().create_hunt(hunt("No.Such")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(status.message(), "root: CreateHunt: GetOrgConfig Unknown artifact No.Such");
}

#[tokio::test]
async fn an_uploaded_file_is_read_in_pieces() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Custom.Lab.Upload", "{}").await;
    let vql = "SELECT Upload.Components AS Components FROM uploads(client_id=C, flow_id=F)";
    let answer = console.ask(vql, &[("C", &client), ("F", &flow)]).await;
    let components: Vec<String> = serde_json::from_value(answer.value().clone()).unwrap();
    let mut data = Vec::new();
    loop {
        let request = proto::VfsFileBuffer {
            components: components.clone(),
            offset: data.len() as u64,
            length: 4,
            ..Default::default()
        };
        let piece = console.client().vfs_get_buffer(request).await.unwrap().into_inner().data;
        if piece.is_empty() {
            break;
        }
        data.extend(piece);
    }
    assert_eq!(data, b"hello world");

    let read = async |request: proto::VfsFileBuffer| {
        console.client().vfs_get_buffer(request).await.unwrap_err()
    };
    let with_client = proto::VfsFileBuffer {
        client_id: client.clone(),
        components: components.clone(),
        length: 4,
        ..Default::default()
    };
    assert_eq!(read(with_client).await.code(), Code::NotFound);
    let none = read(proto::VfsFileBuffer::default()).await;
    assert_eq!((none.code(), none.message()), (Code::InvalidArgument, "Invalid pathspec"));
    let denied =
        proto::VfsFileBuffer { components: vec!["users".into(), "x".into()], ..Default::default() };
    let denied = read(denied).await;
    assert_eq!(denied.message(), "No access to filesystem path");
    let in_org = |org: &str| proto::VfsFileBuffer {
        components: components.clone(),
        org_id: org.into(),
        ..Default::default()
    };
    assert_eq!(read(in_org("O999")).await.message(), "Org not found");
    let no_role = read(in_org(lab::SECOND_ORG)).await;
    assert_eq!(no_role.message(), "User is not allowed to view the VFS.");
}

#[tokio::test]
async fn nobody_is_not_found_for_files() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Nobody).await;
    let request = proto::VfsFileBuffer { components: vec!["x".into()], ..Default::default() };
    let status = console.client().vfs_get_buffer(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "User not found: lab-nobody");
}
