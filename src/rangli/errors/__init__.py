"""The tree of refusals.

RangliError
├── InputRefused                what came in cannot be used; exit status 2
│   ├── AmountMalformed         a text is not yuan with at most two decimals
│   ├── RateMalformed           a text is not a percentage of at most two decimals
│   ├── PlanNotFound            no preset and no file of that name
│   ├── PlanFaulty              a plan document with problems; carries all of them
│   ├── ScenarioNotFound        no scenario of that name, and no file
│   ├── ScenarioFaulty          a scenario document with problems; carries all of them
│   ├── FieldRefused            a field of a request that is missing or malformed; names it
│   ├── AddressRefused          an address that nobody can listen on here
│   ├── FileRefused             an order file or directory that cannot be read as one
│   └── RowsRefused             --strict and at least one refused row
├── Refused                     an operation that the books do not allow; nothing has changed
│   ├── RefundTooLarge          more than was paid and is not yet refunded
│   ├── PointsShort             a sale of more points than the member has
│   ├── LimitReached            a balance would pass MICRO_MAX
│   ├── OrderRefused            an order that its plan does not settle; carries the status
│   ├── RequestConflict         an id that was used before with other facts; names the field
│   ├── HeldOrder               what cannot be done with an order that is still held, or was cancelled
│   ├── PlanUnfit               a plan whose state is not that of the programme's plan
│   ├── GuardsRefused           a plan that may not run on a real channel as it is; carries what the guards found
│   │   ├── PlanRefused         nobody can let it run
│   │   └── SignOffMissing      more people have to sign for it
│   ├── ImportNotReady          a file that is still being checked, or was settled
│   ├── ProgrammeExists         a programme of that name is there
│   ├── DraftMoved              a draft, or the plan it would replace, is no longer what was looked at
│   ├── DraftClosed             what cannot be done with a draft that stands where it does
│   ├── OwnProposal             a draft whose proposer would approve it himself
│   ├── VerifyRunning           a programme that is being verified already
│   ├── MemberExists            a member of the console has, or had, that name
│   ├── LastOwner               the console would have no owner any more
│   └── FormReplayed            a form of the console that was handed in before
├── NotFound
│   ├── ProgrammeNotFound
│   ├── OrderNotFound
│   ├── AccountNotFound
│   ├── DecisionNotFound
│   ├── ImportNotFound
│   ├── DraftNotFound
│   ├── KeyNotFound
│   ├── WebhookNotFound
│   ├── MemberNotFound
│   ├── DeliveryNotFound
│   └── JobNotFound
├── AccessRefused               the door stays shut; nothing has changed
│   ├── KeyRefused              no key, or none that is valid now
│   ├── ScopeRefused            a key or member that may not do this; names what is missing
│   ├── SignInRefused           name, password or code is wrong; which is not said
│   ├── SignInTooOften          too many wrong ones; says how long to wait
│   ├── CodeWanted              the password was right and the second step is to come
│   ├── ChangeWanted            a one-time password, which must be changed first
│   └── SessionEnded            nobody is signed in, or no longer
├── Unavailable                 not now, or not here; nothing has changed
│   ├── NotSettling             another process settles this programme
│   ├── Failed                  the commit failed, and nothing of it was done
│   ├── DatabaseUnreachable
│   └── JobsBusy                more work is waiting already than is taken
├── StoreError                  a database or its folder that cannot be used
│   ├── SchemaNewer             a database of a later, or PostgreSQL of an earlier version
│   ├── DatabaseNotEmpty        a backup is restored into an empty database only
│   ├── BackupRefused           a file that is no backup, or is damaged; says where
│   └── ServerRefused           the embedded PostgreSQL cannot run here
│       ├── ProgramsMissing     PostgreSQL's programs are not there, or cannot be run
│       ├── FolderRefused       a data folder that it cannot use: out of reach, not writable, full of something else
│       │   ├── FolderTaken     another process or user has it
│       │   └── VersionDiffers  another PostgreSQL version made it
│       └── ServerFailed        it did not start, or did not stop; says why, and where its log is
└── LedgerError
    ├── NameRefused             a name that no account can be made of
    └── Broken                  a journal that does not verify; names the first difference

Each has a stable ``code`` and its facts as attributes; texts in Chinese and English stand beside each other.
Our own mistakes are ``assert``; a faulty document is a list of ``Problem``; a faulty row is a status.
"""

from __future__ import annotations

from rangli.errors.books import (
    AccountNotFound,
    Broken,
    DecisionNotFound,
    DeliveryNotFound,
    GuardsRefused,
    HeldOrder,
    ImportNotFound,
    ImportNotReady,
    JobNotFound,
    LimitReached,
    NameRefused,
    OrderNotFound,
    OrderRefused,
    PlanRefused,
    PlanUnfit,
    PointsShort,
    ProgrammeExists,
    ProgrammeNotFound,
    RefundTooLarge,
    RequestConflict,
    SignOffMissing,
    VerifyRunning,
    WebhookNotFound,
)
from rangli.errors.inputs import (
    FAULTS,
    AddressRefused,
    AmountMalformed,
    FieldRefused,
    FileRefused,
    PlanFaulty,
    PlanNotFound,
    RateMalformed,
    RowsRefused,
    ScenarioFaulty,
    ScenarioNotFound,
)
from rangli.errors.people import (
    ChangeWanted,
    CodeWanted,
    DraftClosed,
    DraftMoved,
    DraftNotFound,
    FormReplayed,
    KeyNotFound,
    KeyRefused,
    LastOwner,
    MemberExists,
    MemberNotFound,
    OwnProposal,
    ScopeRefused,
    SessionEnded,
    SignInRefused,
    SignInTooOften,
)
from rangli.errors.store import (
    BackupRefused,
    DatabaseNotEmpty,
    DatabaseUnreachable,
    Failed,
    FolderRefused,
    FolderTaken,
    JobsBusy,
    NotSettling,
    ProgramsMissing,
    SchemaNewer,
    ServerFailed,
    ServerRefused,
    VersionDiffers,
)
from rangli.errors.trunk import (
    AccessRefused,
    InputRefused,
    LedgerError,
    NotFound,
    Problem,
    RangliError,
    Refused,
    StoreError,
    Unavailable,
)

__all__ = [
    "FAULTS",
    "AccessRefused",
    "AccountNotFound",
    "AddressRefused",
    "AmountMalformed",
    "BackupRefused",
    "Broken",
    "ChangeWanted",
    "CodeWanted",
    "DatabaseNotEmpty",
    "DatabaseUnreachable",
    "DecisionNotFound",
    "DeliveryNotFound",
    "DraftClosed",
    "DraftMoved",
    "DraftNotFound",
    "Failed",
    "FieldRefused",
    "FileRefused",
    "FolderRefused",
    "FolderTaken",
    "FormReplayed",
    "GuardsRefused",
    "HeldOrder",
    "ImportNotFound",
    "ImportNotReady",
    "InputRefused",
    "JobNotFound",
    "JobsBusy",
    "KeyNotFound",
    "KeyRefused",
    "LastOwner",
    "LedgerError",
    "LimitReached",
    "MemberExists",
    "MemberNotFound",
    "NameRefused",
    "NotFound",
    "NotSettling",
    "OrderNotFound",
    "OrderRefused",
    "OwnProposal",
    "PlanFaulty",
    "PlanNotFound",
    "PlanRefused",
    "PlanUnfit",
    "PointsShort",
    "Problem",
    "ProgrammeExists",
    "ProgrammeNotFound",
    "ProgramsMissing",
    "RangliError",
    "RateMalformed",
    "RefundTooLarge",
    "Refused",
    "RequestConflict",
    "RowsRefused",
    "ScenarioFaulty",
    "ScenarioNotFound",
    "SchemaNewer",
    "ScopeRefused",
    "ServerFailed",
    "ServerRefused",
    "SessionEnded",
    "SignInRefused",
    "SignInTooOften",
    "SignOffMissing",
    "StoreError",
    "Unavailable",
    "VerifyRunning",
    "VersionDiffers",
    "WebhookNotFound",
]  # fmt: skip
