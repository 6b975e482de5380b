g() { gpg --batch --yes --quiet --pinentry-mode loopback --passphrase '' --faked-system-time "${AT:-20240101T000000!}" "$@" 2>/dev/null; }
fp() { g --with-colons --list-keys "$1" | awk -F: '/^fpr/{print $10; exit}'; }
sign() { g --local-user "$1@example.org" "${@:3}" --output "out/$2.sig" --detach-sign package; }
g --quick-generate-key 'Release Test <release@example.org>' rsa3072 sign never
g --quick-generate-key 'Somebody Else <other@example.org>' ed25519 sign never
g --quick-generate-key 'With Subkey <subkey@example.org>' ed25519 cert never
g --quick-add-key "$(fp subkey@example.org)" rsa3072 sign never
AT=20200101T000000! g --quick-generate-key 'Ended <ended@example.org>' ed25519 sign 20210101T000000
g --quick-generate-key 'Revoked <revoked@example.org>' ed25519 sign never
sign release release --digest-algo SHA512
sign release armoured --digest-algo SHA256 --armor
sign release sha1 --digest-algo SHA1
sign release text --textmode
AT=20800101T000000! sign release future
sign other other
sign subkey subkey
AT=20200601T000000! sign ended ended
sign revoked revoked
for key in release other subkey ended; do g --armor --export $key@example.org > out/$key.asc; done
g --export release@example.org > out/release.gpg
AT=20200201T000000! g --quick-set-expire "$(fp ended@example.org)" 20200301T000000
g --armor --export ended@example.org > out/shortened.asc
sed 's/^:---/---/' gh/openpgp-revocs.d/"$(fp revoked@example.org)".rev > r.rev; g --import r.rev
g --armor --export revoked@example.org > out/revoked.asc
for key in release other subkey ended revoked; do echo $key $(fp $key@example.org); done
