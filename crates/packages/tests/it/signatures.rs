//! OpenPGP signatures, made by GnuPG.

use packages::{PackageError, Proof, ReleaseKey, SignatureError};

use crate::host::Reply;
use crate::support::{Bed, FINGERPRINT, PATH, data, key, package, wanted};

const SUBKEY: &str = "E9BC599DFBC4B9CD0E92A7C0DB83FA9CC1928660";
const ENDED: &str = "22747E5F3D0B4BFE0D3EA845DCC55925C4DB2856";

async fn verdict(name: &str, fingerprint: &str, signature: Reply) -> Result<(), PackageError> {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    bed.host.put(&format!("{PATH}.sig"), signature);
    let fetched = bed.fetch(&wanted(Proof::Signed(key(name, fingerprint)))).await;
    if fetched.is_err() {
        assert!(bed.kept().iter().all(|name| name.ends_with(".part")), "{:?}", bed.kept());
    }
    fetched.map(drop)
}

async fn refusal(name: &str, fingerprint: &str, signature: &[u8]) -> SignatureError {
    match verdict(name, fingerprint, Reply::File(signature.to_vec())).await {
        Err(PackageError::Signature { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_key_or_its_subkey_signed_in_its_life_is_accepted() {
    for (name, fingerprint, signature) in [
        ("release.asc", FINGERPRINT, "release.sig"),
        ("release.gpg", FINGERPRINT, "armoured.sig"),
        ("subkey.asc", SUBKEY, "subkey.sig"),
        ("ended.asc", ENDED, "ended.sig"),
    ] {
        let verdict = verdict(name, fingerprint, Reply::File(data(signature))).await;
        assert!(verdict.is_ok(), "{name}: {verdict:?}");
    }
}

#[tokio::test]
async fn what_somebody_else_signed_is_refused_by_name() {
    let error = refusal("release.asc", FINGERPRINT, &data("other.sig")).await;
    let text = error.to_string();
    assert!(matches!(error, SignatureError::OtherKey { .. }), "{text}");
    assert!(text.contains("CE43E31BEA7BFA7EA1DB8B82A4DFB65D3DC37449"), "{text}");
}

#[tokio::test]
async fn a_forged_signature_is_refused() {
    // The signature value, and the time that is signed with it.
    for at in [-5, 20] {
        let mut forged = data("release.sig");
        let length = isize::try_from(forged.len()).unwrap();
        let at = usize::try_from(if at < 0 { length + at } else { at }).unwrap();
        forged[at] ^= 1;
        let error = refusal("release.asc", FINGERPRINT, &forged).await;
        assert!(
            matches!(error, SignatureError::Forged | SignatureError::OtherKey { .. }),
            "{at}: {error}"
        );
    }
    // Somebody else's signature under the release key's name.
    let own = FINGERPRINT.parse::<packages::Fingerprint>().unwrap().to_string();
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let (own, other) = (bytes(&own), bytes("CE43E31BEA7BFA7EA1DB8B82A4DFB65D3DC37449"));
    let mut forged = data("other.sig");
    let at = forged.windows(20).position(|window| window == other).unwrap();
    forged[at..at + 20].copy_from_slice(&own);
    let id = forged.windows(8).position(|window| window == &other[12..]).unwrap();
    forged[id..id + 8].copy_from_slice(&own[12..]);
    assert_eq!(refusal("release.asc", FINGERPRINT, &forged).await, SignatureError::Forged);
}

#[tokio::test]
async fn a_signature_of_other_bytes_is_refused() {
    let bed = Bed::new().await;
    let mut other = package();
    other[299_999] ^= 1;
    bed.host.put(PATH, Reply::File(other));
    bed.host.put(&format!("{PATH}.sig"), Reply::File(data("release.sig")));
    let signed = wanted(Proof::Signed(key("release.asc", FINGERPRINT)));
    let error = bed.fetch(&signed).await.unwrap_err();
    let forged = matches!(&error, PackageError::Signature { source: SignatureError::Forged, .. });
    assert!(forged && error.to_string().contains(PATH), "{error}");
}

#[tokio::test]
async fn what_proves_too_little_is_refused() {
    for (name, fingerprint, signature, says) in [
        ("release.asc", FINGERPRINT, "sha1.sig", "it uses SHA1"),
        ("release.asc", FINGERPRINT, "text.sig", "over a file's bytes"),
        ("release.asc", FINGERPRINT, "future.sig", "in the future"),
        ("shortened.asc", ENDED, "ended.sig", "after its key had ended"),
    ] {
        let error = refusal(name, fingerprint, &data(signature)).await.to_string();
        assert!(error.contains(says), "{signature}: {error}");
    }
    let error = refusal("release.asc", FINGERPRINT, b"no signature").await;
    assert!(matches!(error, SignatureError::Unreadable(_)), "{error}");
    let error = refusal("release.asc", FINGERPRINT, b"").await;
    assert!(matches!(error, SignatureError::Unreadable(_)), "{error}");
}

#[tokio::test]
async fn no_signature_is_told_before_the_package_is_fetched() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    let signed = wanted(Proof::Signed(key("release.asc", FINGERPRINT)));
    let error = bed.fetch(&signed).await.unwrap_err();
    assert!(matches!(error, PackageError::Unsigned { .. }), "{error}");
    let asked = bed.host.asked();
    assert!(
        asked.iter().all(|(path, range)| path.ends_with(".sig") || range.is_some()),
        "{asked:?}"
    );
}

#[test]
fn only_the_pinned_key_is_taken() {
    let error = ReleaseKey::parse(&data("release.asc")).unwrap_err();
    assert!(matches!(error, SignatureError::KeyIsOther { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(FINGERPRINT) && text.contains(packages::RELEASE_FINGERPRINT), "{text}");
    let revoked = "24417A2E230F2D9B03DDD4EEF5DAC7234494777A".parse().unwrap();
    let error = ReleaseKey::with_fingerprint(&data("revoked.asc"), &revoked).unwrap_err();
    assert_eq!(error, SignatureError::Revoked);
    for wrong in [&b""[..], b"-----BEGIN PGP PUBLIC KEY BLOCK-----", &data("release.sig")] {
        assert!(matches!(ReleaseKey::parse(wrong), Err(SignatureError::Key(_))));
    }
}
