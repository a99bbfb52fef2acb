//! Backups: the file of `jotsmith store export`, which `jotsmith store import` makes a store of.
//!
//! A line of JSON a record, so that it can be looked at with what is at hand. The first line says what the file is: its
//! format, whose store it is of and from when. The last one says how many lines come before it and their SHA-256, so that
//! a file which was cut off or changed by accident is refused. It is no signature: whoever may write the file can make
//! another one.
//!
//! Nothing in it can be presented. A code or refresh token is its id and generation under a MAC (`tokens/handle`), and the
//! sealing keys are not in it. It does hold who uses what.
//!
//! # What a file from a running server is
//!
//! Slices, one after the other, each as it was durable at one moment between the beginning and the end. So what was
//! answered before it began is in it: above all a grant that was revoked before is never in it alive, be it revoked by
//! itself or with all of its subject, for each is looked at with the end of its subject. What changes meanwhile may be in
//! it or not, record by record. Nothing rests on two records being of one moment: a grant stands alone, an early end only
//! takes away, and what of keys belongs together is one line, read in one step.
//!
//! # What a restored store is
//!
//! Older than what clients hold. It is therefore marked recovered: for one idle lifetime a refresh token of a later
//! generation is let through, once a grant (see [`refresh_rotation`](crate::tokens::refresh_rotation)). Tokens that were
//! spent since the backup are let through as well, but whoever uses one takes the grant to another generation than the
//! client has: the next use of the other one is reuse, and ends the grant. Grants from after the backup are unknown.
//!
//! | what | in the file | why |
//! |---|---|---|
//! | grants, revoked ones too | yes | as long as the store keeps them: a code or an access token that comes again finds its grant |
//! | that a grant was let through after a restoring | no | the next restoring is another one |
//! | codes | no | they live for a minute; one from before would be redeemed a second time if it was redeemed since |
//! | sessions that were ended | yes, until they would be over | else somebody who signed out would be signed in again |
//! | since when all of a subject is valid | yes | else all that was ended would come back |
//! | what may be shown once | yes, until it may be shown again | else an assertion could be replayed |
//! | which keys were published, and when | yes | else a key might sign that no cache has. As that of a server that has not said until when it served: so it warns, and refuses no key that was changed since |
//! | that the store was recovered before | no | it is recovered now |
//!
//! An assertion (RFC 7523) that was shown between the backup and the loss can be shown once more until its `exp`, an hour
//! at most. Sessions that were ended, and grants that were revoked, between the two are good again. Where that must not
//! be, an import revokes all: then nothing is good from before it, not even what the file does not name.

mod line;
mod read;
mod write;

pub use self::line::{Header, Record};
pub use self::read::{Backup, BackupRefused, Check, Whole};
pub(super) use self::write::Writer;
