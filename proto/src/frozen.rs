//! Today's messages beside those of the last minor version, which lie in `frozen/`: a lab updates one PC after the other,
//! so all that an older program says or looks for must still be there, by the same number, name and type.
//!
//! Fields, values, methods and messages may be added. What goes is a change of the protocol's version (`protocol.rs`).

use std::collections::BTreeMap;

use prost::Message;
use prost_types::field_descriptor_proto::Label;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

const TODAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/today.bin"));
const FROZEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/frozen.bin"));

/// Everything that is said of the wire, by name: `Grant.row_start` -> `number 4, uint64`.
type Facts = BTreeMap<String, String>;

fn facts(bytes: &[u8]) -> Facts {
    let set = FileDescriptorSet::decode(bytes).expect("build.rs has written it");
    let mut facts = Facts::new();
    for file in &set.file {
        let package = file.package();
        for message in &file.message_type {
            of_message(&mut facts, package, message);
        }
        for value in &file.enum_type {
            of_enum(&mut facts, package, value);
        }
        for service in &file.service {
            of_service(&mut facts, package, service);
        }
    }
    facts
}

fn of_message(facts: &mut Facts, parent: &str, message: &DescriptorProto) {
    let name = format!("{parent}.{}", message.name());
    facts.insert(name.clone(), "a message".to_owned());
    for field in &message.field {
        facts.insert(format!("{name}.{}", field.name()), of_field(message, field));
    }
    for range in &message.reserved_range {
        for number in range.start()..range.end() {
            facts.insert(format!("{name} {number}"), "reserved".to_owned());
        }
    }
    for reserved in &message.reserved_name {
        facts.insert(format!("{name}.{reserved}"), "reserved".to_owned());
    }
    for nested in &message.nested_type {
        of_message(facts, &name, nested);
    }
    for nested in &message.enum_type {
        of_enum(facts, &name, nested);
    }
}

fn of_field(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let label = if field.label() == Label::Repeated {
        "repeated "
    } else {
        ""
    };
    let presence = if field.proto3_optional() { "optional " } else { "" };
    let group = match field.oneof_index.filter(|_| !field.proto3_optional()) {
        Some(index) => format!(
            ", one of {}",
            message.oneof_decl[usize::try_from(index).expect("an index")].name()
        ),
        None => String::new(),
    };
    format!(
        "number {}, {label}{presence}{:?}{}{group}",
        field.number(),
        field.r#type(),
        field.type_name()
    )
}

fn of_enum(facts: &mut Facts, parent: &str, of: &EnumDescriptorProto) {
    let name = format!("{parent}.{}", of.name());
    for value in &of.value {
        facts.insert(format!("{name}.{}", value.name()), format!("number {}", value.number()));
    }
    for range in &of.reserved_range {
        // Unlike a message's, the last one is included.
        for number in range.start()..=range.end() {
            facts.insert(format!("{name} {number}"), "reserved".to_owned());
        }
    }
    for reserved in &of.reserved_name {
        facts.insert(format!("{name}.{reserved}"), "reserved".to_owned());
    }
}

fn of_service(facts: &mut Facts, package: &str, service: &ServiceDescriptorProto) {
    for method in &service.method {
        let stream = |streams| if streams { "stream of " } else { "" };
        facts.insert(
            format!("{package}.{}/{}", service.name(), method.name()),
            format!(
                "{}{} -> {}{}",
                stream(method.client_streaming()),
                method.input_type(),
                stream(method.server_streaming()),
                method.output_type()
            ),
        );
    }
}

/// What is there no more, or otherwise. What was reserved may neither be used nor be given free.
fn broken(frozen: &Facts, today: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, was) in frozen {
        let is = today.get(name).map_or("gone", String::as_str);
        if is != was {
            broken.push(format!("{name}: {was}; today {is}"));
        }
    }
    broken
}

#[test]
fn all_that_the_last_minor_version_says_is_still_understood() {
    let (frozen, today) = (facts(FROZEN), facts(TODAY));
    assert!(frozen.len() > 150, "{} facts: not the messages", frozen.len());
    assert_eq!(broken(&frozen, &today), [""; 0]);
}

fn message<'s>(set: &'s mut FileDescriptorSet, name: &str) -> &'s mut DescriptorProto {
    let mut all = set.file.iter_mut().flat_map(|file| &mut file.message_type);
    all.find(|message| message.name() == name).unwrap()
}

fn field<'s>(set: &'s mut FileDescriptorSet, of: &str, name: &str) -> &'s mut FieldDescriptorProto {
    message(set, of)
        .field
        .iter_mut()
        .find(|field| field.name() == name)
        .unwrap()
}

#[test]
fn whatever_an_older_program_would_not_understand_is_found() {
    use prost_types::field_descriptor_proto::Type;
    let frozen = FileDescriptorSet::decode(FROZEN).unwrap();
    let changed = |change: &dyn Fn(&mut FileDescriptorSet)| {
        let mut today = frozen.clone();
        change(&mut today);
        broken(&facts(FROZEN), &facts(&today.encode_to_vec()))
    };
    assert_eq!(changed(&|_| {}), [""; 0]);
    // More than there was breaks nobody.
    let added = FieldDescriptorProto {
        name: Some("more".to_owned()),
        number: Some(99),
        ..FieldDescriptorProto::default()
    };
    assert_eq!(changed(&|set| message(set, "Hello").field.push(added.clone())), [""; 0]);
    for (found, change) in [
        (
            "trc2npy.v1.Grant.row_start: number 4, Uint64; today number 7, Uint64",
            &(|set: &mut FileDescriptorSet| field(set, "Grant", "row_start").number = Some(7))
                as &dyn Fn(&mut FileDescriptorSet),
        ),
        (
            "trc2npy.v1.Hello.process: number 2, Fixed64; today number 2, Uint64",
            &|set| field(set, "Hello", "process").set_type(Type::Uint64),
        ),
        ("trc2npy.v1.Beat.draining: number 4, Bool; today gone", &|set| {
            message(set, "Beat").field.retain(|field| field.name() != "draining");
        }),
        (
            "trc2npy.v1.Hello.roots: number 8, repeated String; today number 8, String",
            &|set| field(set, "Hello", "roots").set_label(Label::Optional),
        ),
        (
            "trc2npy.v1.Beat.disk_free: number 3, optional Uint64; today number 3, Uint64",
            &|set| {
                let field = field(set, "Beat", "disk_free");
                field.proto3_optional = None;
                field.oneof_index = None;
            },
        ),
        (
            "trc2npy.v1.ToWorker.ask: number 6, Message.trc2npy.v1.Ask, one of message; today number 6, \
             Message.trc2npy.v1.Ask",
            &|set| field(set, "ToWorker", "ask").oneof_index = None,
        ),
        ("trc2npy.v1.Fault.FAULT_ENDED: number 8; today number 9", &|set| {
            let mut all = set.file.iter_mut().flat_map(|file| &mut file.enum_type);
            let fault = all.find(|of| of.name() == "Fault").unwrap();
            fault.value.last_mut().unwrap().number = Some(9);
        }),
        (
            "trc2npy.v1.Workers/GetJob: .trc2npy.v1.GetJobRequest -> stream of .trc2npy.v1.JobPart; today \
             .trc2npy.v1.GetJobRequest -> .trc2npy.v1.JobPart",
            &|set| {
                let mut all = set.file.iter_mut().flat_map(|file| &mut file.service);
                let workers = all.find(|service| service.name() == "Workers").unwrap();
                workers.method.last_mut().unwrap().server_streaming = None;
            },
        ),
    ] {
        assert_eq!(changed(change), [found]);
    }
}

#[test]
fn what_was_reserved_stays_so() {
    use prost_types::descriptor_proto::ReservedRange;
    let set = |message: DescriptorProto| FileDescriptorSet {
        file: vec![prost_types::FileDescriptorProto {
            package: Some("p".to_owned()),
            message_type: vec![message],
            ..prost_types::FileDescriptorProto::default()
        }],
    };
    let facts_of = |message| facts(&set(message).encode_to_vec());
    let reserved = DescriptorProto {
        name: Some("M".to_owned()),
        reserved_range: vec![ReservedRange {
            start: Some(3),
            end: Some(4),
        }],
        reserved_name: vec!["old".to_owned()],
        ..DescriptorProto::default()
    };
    let reused = DescriptorProto {
        name: Some("M".to_owned()),
        field: vec![FieldDescriptorProto {
            name: Some("old".to_owned()),
            number: Some(3),
            ..FieldDescriptorProto::default()
        }],
        ..DescriptorProto::default()
    };
    let found = broken(&facts_of(reserved.clone()), &facts_of(reused));
    assert_eq!(
        found,
        [
            "p.M 3: reserved; today gone",
            "p.M.old: reserved; today number 3, Double"
        ]
    );
    assert_eq!(broken(&facts_of(reserved.clone()), &facts_of(reserved)), [""; 0]);
}
